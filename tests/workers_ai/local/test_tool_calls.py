"""Calls of tools on the wire: whole and streamed, in the form of each family, and the quirks that can be asked for."""

import json

import pytest

LLAMA = "@cf/meta/llama-3.3-70b-instruct-fp8-fast"
LLAMA_8B = "@cf/meta/llama-3.1-8b-instruct"
SCOUT = "@cf/meta/llama-4-scout-17b-16e-instruct"
GPT_OSS = "@cf/openai/gpt-oss-20b"
GEMMA = "@cf/google/gemma-4-26b-a4b-it"
KIMI = "@cf/moonshotai/kimi-k2.6"
EVERY = [LLAMA, LLAMA_8B, SCOUT, GPT_OSS, GEMMA, KIMI]
ONE = "What is the weather in Paris for 3 days?"
TWO = "What is the weather in Paris and London for 3 days?"


def weather_tool(name="get_weather", **extra):
    properties = {"location": {"type": "string"}, "days": {"type": "integer"}}
    parameters = {"type": "object", "properties": properties, "required": ["location"]}
    return {"name": name, "description": "Get the weather at a location.", "parameters": parameters, **extra}


TOOLS = [{"type": "function", "function": weather_tool()}]
EXPECTED = [("get_weather", {"location": place, "days": 3}) for place in ("Paris", "London")]


def asked(text, **more):
    return {"messages": [{"role": "user", "content": text}], "tools": TOOLS, **more}


@pytest.fixture
def streamed(emulator, frames_of):
    def streamed(model, text, *, quirk="", **more):
        body = asked(text, model=model, stream=True, stream_options={"include_usage": True}, **more)
        return frames_of(emulator.v1("chat/completions", body, x_emulator_quirk=quirk))

    return streamed


def entries_of(frames):
    """The entries of `tool_calls` in a stream of OpenAI's form, one list for each frame that has any."""
    deltas = [frame["choices"][0]["delta"] for frame in frames if frame.get("choices")]
    return [delta["tool_calls"] for delta in deltas if delta.get("tool_calls")]


def merged(frames, key="index"):
    """The calls of a stream, joined by `key`, the last one seen where an entry has none."""
    calls, current = {}, None
    for entry in (entry for entries in entries_of(frames) for entry in entries):
        current = entry.get(key, current)
        call = calls.setdefault(current, {"name": "", "arguments": ""})
        call["name"] = entry["function"].get("name") or call["name"]
        call["arguments"] += entry["function"].get("arguments", "")
    return [(call["name"], json.loads(call["arguments"])) for call in calls.values()]


def finish_reasons(frames):
    return [
        f["choices"][0]["finish_reason"] for f in frames if f.get("choices") and f["choices"][0].get("finish_reason")
    ]


@pytest.mark.parametrize("model", [LLAMA_8B, SCOUT])
@pytest.mark.parametrize("tool", [TOOLS[0], weather_tool()])
def test_a_native_classic_call_is_flat_and_null_stands_beside_it(emulator, model, tool):
    result = emulator.result(model, asked(TWO) | {"tools": [tool]})
    assert result["response"] is None
    assert result["tool_calls"] == [{"name": name, "arguments": arguments} for name, arguments in EXPECTED]
    assert result["usage"]["completion_tokens"] > 5


def test_llama_3_3_gives_numbers_as_strings_natively_and_only_there(emulator):
    assert emulator.result(LLAMA, asked(ONE))["tool_calls"][0]["arguments"] == {"location": "Paris", "days": "3"}
    message = emulator.v1("chat/completions", asked(ONE, model=LLAMA)).json()["choices"][0]["message"]
    assert json.loads(message["tool_calls"][0]["function"]["arguments"]) == {"location": "Paris", "days": 3}


def test_llama_4_scout_ends_with_stop_beside_its_native_calls(emulator):
    assert emulator.result(SCOUT, asked(ONE))["finish_reason"] == "stop"
    assert "finish_reason" not in emulator.result(SCOUT, asked("Hello"))


@pytest.mark.parametrize("model", EVERY)
def test_a_call_in_openais_form_has_an_id_and_arguments_as_text(emulator, model):
    choice = emulator.v1("chat/completions", asked(TWO, model=model)).json()["choices"][0]
    calls = choice["message"]["tool_calls"]
    assert choice["finish_reason"] == "tool_calls"
    assert not choice["message"]["content"]
    assert [(c["function"]["name"], json.loads(c["function"]["arguments"])) for c in calls] == EXPECTED
    assert len({call["id"] for call in calls}) == 2
    assert all(call["id"].startswith("functions.get_weather:" if model == KIMI else "chatcmpl-tool-") for call in calls)


@pytest.mark.parametrize("model", [GPT_OSS, GEMMA])
def test_newer_models_call_in_openais_form_natively_too(emulator, model):
    message = emulator.result(model, asked(ONE))["choices"][0]["message"]
    assert message["content"] is None
    assert message["tool_calls"][0]["type"] == "function"


def test_the_ids_of_kimi_are_the_same_in_every_turn(emulator):
    first, second = (emulator.result(KIMI, asked(ONE))["choices"][0]["message"]["tool_calls"][0]["id"] for _ in "12")
    assert first == second == "functions.get_weather:0"


@pytest.mark.parametrize("model", EVERY)
def test_streamed_pieces_join_to_the_calls(streamed, model):
    frames = streamed(model, TWO)
    assert merged(frames) == EXPECTED
    first = entries_of(frames)[0][0]
    assert first["function"] == {"name": "get_weather", "arguments": ""}
    assert first["id"]
    assert set(finish_reasons(frames)) == {"tool_calls"}


def test_a_classic_native_stream_has_all_calls_in_one_frame(emulator, frames_of):
    *frames, last = frames_of(emulator.run(LLAMA_8B, asked(TWO, stream=True)))
    (frame,) = [frame for frame in frames if frame.get("tool_calls")]
    assert frame["response"] == ""
    assert [(call["name"], call["arguments"]) for call in frame["tool_calls"]] == EXPECTED
    assert "usage" in last


def test_gpt_oss_streams_as_recorded(streamed):
    frames = streamed(GPT_OSS, ONE)
    pieces = entries_of(frames)
    assert [entry["function"]["arguments"] for (entry,) in pieces][:5] == ["", '{"', "location", '":"', "Paris"]
    *_, natural, once, again = frames
    assert natural["choices"][0]["finish_reason"] is None
    assert natural["choices"][0]["stop_reason"] == 200012
    assert once["choices"][0]["finish_reason"] == again["choices"][0]["finish_reason"] == "tool_calls"
    assert once["usage"]["completion_tokens"] == again["usage"]["completion_tokens"]


def test_gpt_oss_reasons_before_it_calls(streamed):
    deltas = [frame["choices"][0]["delta"] for frame in streamed(GPT_OSS, ONE)]
    reasoning = "".join(delta.get("reasoning_content", "") for delta in deltas)
    assert "get_weather" in reasoning
    last_thought = max(at for at, delta in enumerate(deltas) if delta.get("reasoning_content"))
    assert last_thought < min(at for at, delta in enumerate(deltas) if delta.get("tool_calls"))


def test_a_2026_model_puts_several_pieces_into_one_delta(emulator, frames_of):
    frames = frames_of(emulator.run(GEMMA, asked(TWO, stream=True)))
    assert merged(frames) == EXPECTED
    assert max(len(entries) for entries in entries_of(frames)) == 3
    *counted, tail = frames
    assert sum(frame["usage"]["completion_tokens"] for frame in counted) == tail["usage"]["completion_tokens"]


@pytest.mark.parametrize("model", EVERY)
def test_the_result_of_a_call_is_answered_in_words(emulator, model):
    call = {"id": "a", "type": "function", "function": {"name": "get_weather", "arguments": '{"location":"Paris"}'}}
    messages = [
        {"role": "user", "content": "What is the weather in Paris?"},
        {"role": "assistant", "content": "", "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "a", "name": "get_weather", "content": "Sunny, 21 degrees"},
    ]
    body = {"model": model, "messages": messages, "tools": TOOLS}
    choice = emulator.v1("chat/completions", body).json()["choices"][0]
    assert (choice["message"]["content"], choice["finish_reason"]) == ("Sunny, 21 degrees", "stop")


def test_a_flat_history_is_taken_by_classic_models(emulator):
    messages = [
        {"role": "user", "content": "What is the weather in Paris?"},
        {
            "role": "assistant",
            "content": "",
            "tool_calls": [{"name": "get_weather", "arguments": {"location": "Paris"}}],
        },
        {"role": "tool", "name": "get_weather", "content": "Sunny"},
    ]
    assert emulator.result(LLAMA_8B, {"messages": messages, "tools": TOOLS})["response"] == "Sunny"
    assert emulator.run(GEMMA, {"messages": messages, "tools": TOOLS}).status_code == 400


@pytest.mark.parametrize("broken", [{"id": None}, {"function": {"name": "f", "arguments": {}}}])
def test_newer_models_want_ids_and_arguments_as_text_in_the_history(emulator, said, broken):
    call = {"id": "a", "type": "function", "function": {"name": "f", "arguments": "{}"}, **broken}
    messages = [*said("Hello"), {"role": "assistant", "content": "", "tool_calls": [call]}]
    messages.append({"role": "tool", "tool_call_id": "a", "content": "x"})
    response = emulator.run(GEMMA, {"messages": messages})
    assert response.json()["errors"][0]["code"] == 5006
    assert emulator.run(LLAMA, {"messages": messages}).status_code == 200


def test_too_small_a_maximum_refuses_a_forced_call_and_cuts_another(emulator):
    forced = {"type": "function", "function": {"name": "get_weather"}}
    response = emulator.run(GEMMA, asked(ONE, max_tokens=3, tool_choice=forced))
    assert (response.status_code, response.json()["errors"][0]["code"]) == (400, 8006)
    choice = emulator.result(GEMMA, asked(ONE, max_tokens=3))["choices"][0]
    assert choice["finish_reason"] == "length"
    assert emulator.result(LLAMA, asked(ONE, max_tokens=3))["tool_calls"][0]["arguments"] == '{"location'


def test_any_is_no_choice(emulator):
    response = emulator.run(LLAMA, asked(ONE, tool_choice="any"))
    assert (response.status_code, response.json()["errors"][0]["code"]) == (400, 8001)


def test_letters_of_all_scripts_go_out_as_they_are(emulator):
    response = emulator.v1("chat/completions", asked("Weather in 東京?", model=LLAMA))
    arguments = response.json()["choices"][0]["message"]["tool_calls"][0]["function"]["arguments"]
    assert arguments == '{"location":"東京"}'


# Quirks on demand.


def test_index_zero_leaves_only_the_ids_to_tell_calls_apart(streamed):
    frames = streamed(GPT_OSS, TWO, quirk="index-zero")
    assert {entry["index"] for entries in entries_of(frames) for entry in entries} == {0}
    assert merged(frames, key="id") == EXPECTED


@pytest.mark.parametrize("model", EVERY)
@pytest.mark.parametrize(
    "quirk", ["names-late", "names-repeated", "no-ids", "interleaved", "null-sentinel", "two-per-delta", "whole-calls"]
)
def test_every_way_of_streaming_joins_to_the_same_calls(streamed, model, quirk):
    assert merged(streamed(model, TWO, quirk=quirk)) == EXPECTED


def test_names_late_come_in_the_last_piece_of_their_call(streamed):
    entries = [entry for entries in entries_of(streamed(GPT_OSS, ONE, quirk="names-late")) for entry in entries]
    assert [("name" in entry["function"]) for entry in entries] == [False] * (len(entries) - 1) + [True]


def test_names_repeated_stand_in_every_piece(streamed):
    entries = [entry for entries in entries_of(streamed(GPT_OSS, ONE, quirk="names-repeated")) for entry in entries]
    assert all(entry["id"] and entry["function"]["name"] == "get_weather" for entry in entries)


def test_no_ids_means_none_whole_and_streamed(emulator, streamed):
    assert not any("id" in entry for entries in entries_of(streamed(GPT_OSS, TWO, quirk="no-ids")) for entry in entries)
    response = emulator.v1("chat/completions", asked(ONE, model=GEMMA), x_emulator_quirk="no-ids")
    assert "id" not in response.json()["choices"][0]["message"]["tool_calls"][0]


def test_interleaved_pieces_take_turns(streamed):
    entries = [entry for entries in entries_of(streamed(GPT_OSS, TWO, quirk="interleaved")) for entry in entries]
    assert [entry["index"] for entry in entries][:6] == [0, 1, 0, 1, 0, 1]


def test_a_null_sentinel_closes_each_call(streamed):
    entries = [entry for entries in entries_of(streamed(GPT_OSS, TWO, quirk="null-sentinel")) for entry in entries]
    assert [entry["index"] for entry in entries if "id" in entry and entry["id"] is None] == [0, 1]


def test_two_per_delta_puts_the_calls_side_by_side(streamed):
    frames = entries_of(streamed(GPT_OSS, TWO, quirk="two-per-delta"))
    assert all([entry["index"] for entry in entries] == [0, 1] for entries in frames)


def test_a_forced_call_leaks_as_text_when_asked_to(emulator):
    forced = {"type": "function", "function": {"name": "get_weather"}}
    body = asked("What is the weather in London?", tool_choice=forced)
    for quirk, expected in (
        ("leak-forced-call", {"name": "get_weather", "arguments": {"location": "London"}}),
        ("leak-forced-call-flat", {"name": "get_weather", "location": "London"}),
    ):
        response = emulator.run(GPT_OSS, body, x_emulator_quirk=quirk)
        choice = response.json()["result"]["choices"][0]
        assert json.loads(choice["message"]["content"]) == expected
        assert (choice["finish_reason"], choice["message"]["tool_calls"]) == ("stop", [])
    unforced = emulator.run(GPT_OSS, asked(ONE), x_emulator_quirk="leak-forced-call")
    assert unforced.json()["result"]["choices"][0]["message"]["tool_calls"]


def test_text_and_reasoning_can_surround_the_calls(streamed):
    frames = streamed(GPT_OSS, ONE, quirk="text-before-calls, reasoning-last")
    kinds = []
    for delta in (frame["choices"][0]["delta"] for frame in frames[2:]):
        kinds += [key for key in delta if key not in kinds]
    assert kinds == ["content", "tool_calls", "reasoning_content"]


@pytest.mark.parametrize(
    ("quirk", "arguments"),
    [
        ("string-arguments", '{"location":"Paris","days":3}'),
        ("stringified-values", {"location": "Paris", "days": "3"}),
        ("invalid-arguments", '{"location":"Pa'),
    ],
)
def test_flat_arguments_come_in_other_shapes(emulator, quirk, arguments):
    result = emulator.run(SCOUT, asked(ONE), x_emulator_quirk=quirk).json()["result"]
    assert result["tool_calls"][0]["arguments"] == arguments


def test_a_frame_with_the_whole_call_can_come_twice(emulator, frames_of):
    frames = frames_of(emulator.run(SCOUT, asked(ONE, stream=True), x_emulator_quirk="repeated-frame"))
    first, second = [frame for frame in frames if frame.get("tool_calls")]
    assert first == second


def test_stop_can_stand_beside_calls(emulator, streamed):
    assert set(finish_reasons(streamed(GEMMA, ONE, quirk="finish-stop"))) == {"stop"}
    response = emulator.v1("chat/completions", asked(ONE, model=LLAMA), x_emulator_quirk="finish-stop")
    assert response.json()["choices"][0]["finish_reason"] == "stop"


def test_a_server_without_a_parser_refuses_tools(emulator):
    response = emulator.run(SCOUT, asked(ONE), x_emulator_quirk="no-tool-parser")
    assert response.json()["errors"][0]["code"] == 3030
    assert "--enable-auto-tool-choice" in response.json()["errors"][0]["message"]


def test_the_documented_schema_can_be_taken_at_its_word(emulator):
    response = emulator.run(LLAMA, asked(ONE), x_emulator_quirk="strict-tools")
    assert "/tools/0/parameters/properties/location' are 'description'" in response.json()["errors"][0]["message"]


def test_some_backends_want_objects_in_the_history(emulator, said):
    call = {"id": "a", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    messages = [*said("Hello"), {"role": "assistant", "content": "", "tool_calls": [call]}]
    messages.append({"role": "tool", "tool_call_id": "a", "content": "x"})
    body = {"model": GEMMA, "messages": messages}
    response = emulator.v1("chat/completions", body, x_emulator_quirk="object-history")
    assert "must be a JSON object" in response.json()["errors"][0]["message"]
    call["function"]["arguments"] = {}
    assert emulator.v1("chat/completions", body, x_emulator_quirk="object-history").status_code == 200


def test_a_quirk_that_nobody_knows_is_refused_with_those_that_exist(emulator):
    response = emulator.run(LLAMA, asked(ONE), x_emulator_quirk="index-zero, names-latte")
    assert response.status_code == 400
    assert "names-latte" in response.json()["errors"][0]["message"]
    assert "names-late," in response.json()["errors"][0]["message"]
