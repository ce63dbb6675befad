"""Which pictures stand in messages by address, and their bytes put in the place."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from workers_ai.wire.message import WireMessage
from workers_ai.wire.pictures import address, addresses, inlined

DATA = "data:image/png;base64,AAAA"
URL, OTHER = "https://example.com/a.png", "http://example.com/b.png"


def picture(url: Any) -> dict[str, Any]:
    return {"type": "image_url", "image_url": {"url": url}}


TEXT = {"type": "text", "text": URL}
MESSAGES: list[WireMessage] = [
    {"role": "system", "content": URL},
    {"role": "user", "content": [TEXT, picture(URL), picture(DATA), picture(OTHER)]},
    {"role": "tool", "tool_call_id": "1", "content": [picture(URL)]},
]


@pytest.mark.parametrize(
    ("part", "told"),
    [
        (picture(URL), URL),
        ({"type": "image_url", "image_url": URL}, URL),
        (picture(DATA), None),
        (picture(None), None),
        (TEXT, None),
        ({}, None),
    ],
)
def test_the_address_of_a_part(part: dict[str, Any], told: str | None):
    assert address(part) == told


def test_addresses_come_once_and_in_their_order():
    """An address in a text is none: nobody asked to fetch it."""
    assert addresses(MESSAGES) == [URL, OTHER]


def test_bytes_take_the_place_of_addresses_in_every_message():
    before = copy.deepcopy(MESSAGES)
    told = inlined(MESSAGES, {URL: DATA})
    assert told[0] == MESSAGES[0]
    assert told[1]["content"] == [TEXT, picture(DATA), picture(DATA), picture(OTHER)]
    assert told[2]["content"] == [picture(DATA)]
    assert before == MESSAGES, "the given ones are not changed"


def test_what_else_a_picture_says_stays():
    part = {"type": "image_url", "image_url": {"url": URL, "detail": "low"}}
    (told,) = inlined([{"role": "user", "content": [part]}], {})
    assert told["content"] == [part]
    (told,) = inlined([{"role": "user", "content": [part]}], {URL: DATA})
    assert told["content"] == [{"type": "image_url", "image_url": {"url": DATA, "detail": "low"}}]
