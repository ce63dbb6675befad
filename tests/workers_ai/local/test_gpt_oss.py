MODEL = "@cf/openai/gpt-oss-20b"


def test_a_native_answer_is_a_chat_completion_in_the_envelope(emulator, said):
    result = emulator.result(MODEL, {"messages": said("Say only: hi")})
    message = result["choices"][0]["message"]
    assert result["object"] == "chat.completion"
    assert result["id"].startswith("chatcmpl-")
    assert message["content"] == "hi"
    assert message["reasoning_content"]
    assert message["tool_calls"] == []


def test_a_native_stream_is_answered_by_json_with_an_empty_result(emulator, said):
    response = emulator.run(MODEL, {"messages": said("Hello"), "stream": True})
    assert (response.status_code, response.headers["content-type"]) == (200, "application/json")
    assert response.json() == {"result": {}, "success": True, "errors": [], "messages": []}


def test_the_openai_stream_ends_with_the_same_totals_twice(emulator, frames_of, said):
    body = {"model": MODEL, "messages": said("Say only: hi"), "stream": True}
    frames = frames_of(emulator.v1("chat/completions", body | {"stream_options": {"include_usage": True}}))
    first, *_, natural, once, again = frames
    assert first["choices"][0]["delta"] == {"role": "assistant", "content": ""}
    assert natural["choices"][0]["finish_reason"] is None
    assert natural["choices"][0]["stop_reason"]
    assert once["choices"][0]["finish_reason"] == again["choices"][0]["finish_reason"] == "stop"
    assert once["usage"].items() <= again["usage"].items()
    assert once["usage"]["completion_tokens"] > 0
    assert once["id"].startswith("id-")


def test_the_openai_stream_carries_reasoning_apart_from_text(emulator, frames_of, said):
    body = {"model": MODEL, "messages": said("Say only: hi there"), "stream": True}
    deltas = [frame["choices"][0]["delta"] for frame in frames_of(emulator.v1("chat/completions", body))]
    assert "".join(delta.get("content", "") for delta in deltas) == "hi there"
    assert "".join(delta.get("reasoning_content", "") for delta in deltas).startswith("The user asks")


def test_without_include_usage_the_openai_stream_has_none(emulator, frames_of, said):
    frames = frames_of(emulator.v1("chat/completions", {"model": MODEL, "messages": said("Hello"), "stream": True}))
    assert not any("usage" in frame for frame in frames)
    assert frames[-1]["choices"][0]["finish_reason"] == "stop"


def test_a_budget_spent_on_reasoning_leaves_no_content(emulator, said):
    choice = emulator.result(MODEL, {"messages": said("Hello"), "max_tokens": 4})["choices"][0]
    assert choice["finish_reason"] == "length"
    assert choice["message"]["content"] is None
    assert choice["message"]["reasoning_content"]


def test_a_prompt_is_answered_by_a_text_completion(emulator):
    result = emulator.result(MODEL, {"prompt": "Say only: hi"})
    assert (result["object"], result["choices"][0]["text"]) == ("text_completion", "hi")
