"""The account's listing of models: its pages, and what its entries say."""

from __future__ import annotations

import datetime
import json
from typing import Any

import pytest

from workers_ai.catalog import lookup
from workers_ai.errors import AuthenticationError, InvalidResponseError
from workers_ai.exchange import Reply
from workers_ai.tasks.models import ListedModel, ModelPage, ModelSearch, listed, read_page

KNOWN = "@cf/meta/llama-3.3-70b-instruct-fp8-fast"


def entry(name: str, *, task: str = "Text Generation", **properties: Any) -> dict[str, Any]:
    """An entry as the service has it: `name` is the id to call, `id` a number of the listing (quirk 74)."""
    told = [{"property_id": key, "value": value} for key, value in properties.items()]
    return {"id": "57fbd08a", "source": 1, "name": name, "task": {"name": task}, "properties": told, "tags": []}


def page(names: list[str], **info: int) -> ModelPage:
    body = {"success": True, "result": [entry(name) for name in names], "errors": [], "result_info": info}
    return read_page(Reply(200, {"content-type": "application/json"}, json.dumps(body).encode()))


def walk(pages: list[ModelPage]) -> tuple[list[str], list[str]]:
    """The ids found, and the numbers of the pages asked for, of a service that has these pages and then empty ones."""
    search, asked = ModelSearch(), []
    while (exchange := search.next_page()) is not None:
        asked.append(exchange.request.query["page"])
        search.take(pages[len(asked) - 1] if len(asked) <= len(pages) else ModelPage([]))
        assert len(asked) < 20, "the search has no end"
    return [model.id for model in search.models], asked


def test_a_search_asks_with_get_and_sends_only_the_filters_that_are_set():
    request = ModelSearch(task="Text Embeddings").next_page().request
    assert (request.method, request.path, request.body) == ("GET", "ai/models/search", None)
    assert dict(request.query) == {"task": "Text Embeddings", "page": "1", "per_page": "100"}


@pytest.mark.parametrize(
    ("pages", "asked"),
    [
        ([page(["a", "b"], per_page=2), page(["c"], per_page=2)], ["1", "2"]),
        ([page(["a", "b", "c"], per_page=100, total_count=3)], ["1"]),
        # The service granted fewer than were asked for.
        ([page(["a", "b"], per_page=2, total_count=3), page(["c"], per_page=2, total_count=3)], ["1", "2"]),
        ([page(["a", "b", "c"])], ["1", "2"]),
        # A service that ignores `page` repeats itself.
        ([page(["a", "b", "c"])] * 9, ["1", "2"]),
    ],
    ids=["until short", "until all", "smaller pages", "nothing told", "the same page for ever"],
)
def test_pages_are_asked_for_until_one_is_short_or_brings_nothing_new(pages, asked):
    assert walk(pages) == (["a", "b", "c"], asked)


def test_an_empty_listing_is_one_question():
    assert walk([page([])]) == ([], ["1"])


def test_properties_are_texts_or_lists_and_become_what_the_catalogue_calls_them():
    price = [
        {"unit": "per M input tokens", "price": 0.5, "currency": "USD"},
        {"unit": "per M output tokens", "price": 2, "currency": "USD"},
        {"unit": "per step", "price": 9, "currency": "USD"},
    ]
    (model,) = listed(
        [
            entry(
                "@cf/acme/new",
                context_window="1000",
                function_calling="true",
                vision="false",
                price=price,
                planned_deprecation_date="2027-01-31",
            )
        ]
    )
    info = model.info
    assert (info.id, info.known, info.task, info.context_window) == ("@cf/acme/new", False, "Text Generation", 1000)
    assert (info.function_calling, info.vision) == (True, lookup("@cf/acme/new").vision)
    assert (info.price.input, info.price.output) == (0.5, 2.0)
    assert info.deprecated_on == datetime.date(2027, 1, 31)


def test_what_the_listing_states_goes_before_the_catalogue_and_the_rest_stays():
    (model,) = listed([entry(KNOWN, context_window="48000")])
    assert model.info.context_window == 48000
    assert model.info.price == lookup(KNOWN).price
    assert model.info.json_mode == lookup(KNOWN).json_mode


@pytest.mark.parametrize("value", ["", "many", "-1", "0", None, True, ["1"], "9" * 40, "٣"])
def test_a_number_that_is_none_is_passed_over(value):
    assert ListedModel(KNOWN, properties={"context_window": value}).info.context_window == lookup(KNOWN).context_window


@pytest.mark.parametrize(
    "broken", [None, 3, {}, {"name": None}, {"name": "x", "task": 1, "properties": {"a": 1}}, {"name": "x"}]
)
def test_an_entry_of_another_shape_breaks_nothing(broken):
    assert [model.info.id for model in listed([broken, entry("@cf/acme/new")])][-1] == "@cf/acme/new"


@pytest.mark.parametrize("body", [{"result": {}}, {"result": None}, [], "text"])
def test_what_is_no_listing_is_an_error_of_the_family(body):
    with pytest.raises(InvalidResponseError, match="page 4"):
        read_page(Reply(200, {}, json.dumps(body).encode()), page=4)


def test_a_refusal_under_status_200_is_the_refusal():
    body = {"success": False, "errors": [{"code": 10000, "message": "Authentication error"}], "result": None}
    with pytest.raises(AuthenticationError):
        read_page(Reply(200, {}, json.dumps(body).encode()))
