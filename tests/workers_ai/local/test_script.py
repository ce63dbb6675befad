"""Scripted turns: taken in order, in every form, checked against what the request allows."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from workers_ai import BadRequestError, CapacityError, Client, QuotaExceededError, ServerError
from workers_ai.local import LocalServer, Script, ScriptError
from workers_ai.local.brain import Brain

LLAMA = "@cf/meta/llama-3.3-70b-instruct-fp8-fast"
GPT_OSS = "@cf/openai/gpt-oss-20b"
GEMMA = "@cf/google/gemma-4-26b-a4b-it"
FORMS = [(model, api) for model in (LLAMA, GPT_OSS, GEMMA) for api in ("native", "openai")]
TOOLS = [
    {
        "type": "function",
        "function": {
            "name": name,
            "description": name,
            "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
        },
    }
    for name in ("weather", "time")
]


@pytest.fixture
def script() -> Script:
    return Script()


@pytest.fixture
def ask(script: Script) -> Iterator[Callable[..., Any]]:
    """A chat, streamed or not, as (text, calls)."""
    with (
        LocalServer(script=script) as server,
        Client(
            account_id=server.account_id, api_token=server.api_token, base_url=server.base_url, max_retries=0
        ) as client,
    ):

        def asked(text: str = "What is it?", *, streamed: bool = False, **options: Any) -> Any:
            if not streamed:
                return client.chat(text, **options)
            return list(client.stream_chat(text, **options))

        yield asked


def text_of(answer: Any) -> str:
    return "".join(delta.text for delta in answer) if isinstance(answer, list) else answer.text


def calls_of(answer: Any) -> list[tuple[str, Any]]:
    if not isinstance(answer, list):
        return [(call.name, call.arguments) for call in answer.tool_calls]
    pieces = [piece for delta in answer for piece in delta.calls]
    indexes = dict.fromkeys(piece.index for piece in pieces)
    joined = [[piece for piece in pieces if piece.index == index] for index in indexes]
    return [
        ("".join(piece.name or "" for piece in call), json.loads("".join(piece.arguments for piece in call)))
        for call in joined
    ]


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize(("model", "api"), FORMS)
def test_turns_are_taken_in_order_in_every_form(model, api, streamed, script, ask):
    """Only gpt-oss's native streams are empty, as the service's are."""
    if (model, api, streamed) == (GPT_OSS, "native", True):
        pytest.skip("empty on the service too")
    script.call_tool("weather", city="Oslo")
    script.call_tools(("weather", {"city": "Bergen"}), ("time", {"city": "Oslo"}))
    script.reply("It rains – 12 °C.")
    options = {"model": model, "api": api, "streamed": streamed, "tools": TOOLS}
    assert calls_of(ask(**options)) == [("weather", {"city": "Oslo"})]
    assert calls_of(ask(**options)) == [("weather", {"city": "Bergen"}), ("time", {"city": "Oslo"})]
    assert text_of(ask(**options)) == "It rains – 12 °C."
    script.check()


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("api", ["native", "openai"])
def test_a_refusal_is_the_services_own(api, streamed, script, ask):
    """By code, by bare status, with other words; none of it is a problem of the script."""
    for code, kind in [
        (3040, CapacityError),
        (4006, QuotaExceededError),
        (3036, QuotaExceededError),
        (503, ServerError),
    ]:
        script.fail(code)
        with pytest.raises(kind):
            ask(api=api, streamed=streamed)
    script.fail(9999, "something new", status=400)
    with pytest.raises(BadRequestError, match="something new") as caught:
        ask(api=api, streamed=streamed)
    assert caught.value.code == 9999
    script.check()


def test_the_turn_after_a_refusal_answers_the_second_attempt():
    script = Script()
    script.fail(3040)
    script.reply("there you are")
    with LocalServer(script=script) as server:
        client = Client(account_id=server.account_id, api_token=server.api_token, base_url=server.base_url)
        assert client.chat("Hello?").text == "there you are"
        assert len(server.requests) == 2
    script.check()


def test_an_unknown_code_needs_a_status(script):
    with pytest.raises(ValueError, match=r"code 1234 is not known.*status=.*3040"):
        script.fail(1234)


def test_reasoning_and_a_cut_answer(script, ask):
    script.reply("so far", reasoning="I ponder.", cut=True)
    answer = ask(model=GPT_OSS, max_tokens=256)
    assert (answer.text, answer.reasoning, answer.finish_reason) == ("so far", "I ponder.", "length")


def test_a_mapping_goes_out_as_json(script, ask):
    script.reply({"name": "Åse", "born": 1900})
    assert json.loads(ask().text) == {"name": "Åse", "born": 1900}


def test_max_tokens_cut_a_scripted_answer_as_any_other(script, ask):
    script.reply("one two three four five")
    answer = ask(max_tokens=2)
    assert (answer.text, answer.finish_reason) == ("one two", "length")


@pytest.mark.parametrize("streamed", [False, True])
def test_an_exhausted_script_names_the_request(streamed, script, ask):
    script.reply("once")
    ask()
    with pytest.raises(BadRequestError, match=r"chat 2: no turn is left; 1 were given"):
        ask("And Bergen?", streamed=streamed, model=GEMMA, tools=TOOLS)
    with pytest.raises(
        ScriptError, match=rf"chat 2: (.|\n)*to {GEMMA}, tools weather, time; 1 message, .*'And Bergen\?'"
    ):
        script.check()


@pytest.mark.parametrize(
    ("name", "arguments", "options", "said"),
    [
        ("wether", {"city": "Oslo"}, {}, r"there is no tool 'wether'; the tools offered: time, weather"),
        ("weather", {}, {}, r"call weather does not fit the tool's schema: city is missing"),
        ("weather", {"city": 5}, {}, r"city is 5, not of type string"),
        ("weather", {"city": "Oslo", "unit": "C"}, {}, r"unit is unknown; it has city"),
        ("weather", {"city": "Oslo"}, {"tool_choice": "none"}, r"tool_choice is 'none'"),
        ("weather", {"city": "Oslo"}, {"tool_choice": "time"}, r"tool_choice allows time and not 'weather'"),
        ("weather", {"city": "Oslo"}, {"tools": None}, r"the tools offered: none"),
    ],
)
def test_a_call_that_the_request_does_not_allow_is_a_problem(name, arguments, options, said, script, ask):
    """It reaches the client as a refusal, and `check` as an error, whoever caught the first."""
    script.call_tool(name, **arguments)
    with pytest.raises(BadRequestError, match=said):
        ask(model=GEMMA, **{"tools": TOOLS, **options})
    with pytest.raises(ScriptError, match=said):
        script.check()


def test_one_call_at_a_time_where_the_request_says_so(script, ask):
    script.call_tools(("weather", {"city": "Oslo"}), ("time", {"city": "Oslo"}))
    with pytest.raises(BadRequestError, match="parallel_tool_calls is false"):
        ask(model=GEMMA, tools=TOOLS, parallel_tool_calls=False)


def test_turns_nobody_asked_for_are_told_unless_dropped(script, ask):
    script.reply("first")
    script.call_tool("weather", city="Oslo")
    script.fail(3040)
    ask()
    with pytest.raises(
        ScriptError, match=r'2 of 3 turns were not asked for: call_tool\(weather, city="Oslo"\), fail\(429, '
    ):
        script.check()
    script.drop()
    script.check()


def test_what_is_behind_answers_until_a_turn_is_given():
    """A server without a script has one all the same."""
    with LocalServer() as server:
        client = Client(account_id=server.account_id, api_token=server.api_token, base_url=server.base_url)
        assert client.chat("Reply exactly with: pong").text == "pong"
        server.script.reply("scripted")
        assert client.chat("Reply exactly with: pong").text == "scripted"
        with pytest.raises(BadRequestError, match="no turn is left"):
            client.chat("Reply exactly with: pong")
        assert len(client.embed(["a text"])[0]) == 1024  # embeddings take no turn


def test_bad_turns_are_refused_as_they_are_written(script):
    with pytest.raises(TypeError, match="the arguments of weather must be JSON"):
        script.call_tool("weather", city={1, 2})
    with pytest.raises(TypeError, match="reply must be JSON"):
        script.reply({"at": object()})
    with pytest.raises(ValueError, match="at least"):
        script.call_tools()
    with pytest.raises(ValueError, match="exclude each other"):
        LocalServer(script=script, backend=Brain())


def test_arguments_may_have_any_name(script, ask):
    """`self` and `name` among them."""
    properties = {"name": {"type": "string"}, "self": {"type": "integer"}}
    tool = {"type": "function", "function": {"name": "f", "parameters": {"type": "object", "properties": properties}}}
    script.call_tool("f", name="a", self=1)
    assert calls_of(ask(model=GEMMA, tools=[tool])) == [("f", {"name": "a", "self": 1})]
