import pytest

GEMMA = "@cf/google/gemma-4-26b-a4b-it"
ASKED = {"stream": True, "stream_options": {"include_usage": True}}


def summed(frames, key):
    return sum(frame["usage"][key] for frame in frames)


def test_a_native_answer_is_a_chat_completion_from_a_model_of_another_name(emulator, said):
    result = emulator.result(GEMMA, {"messages": said("Say only: hi")})
    assert result["model"] == GEMMA + "-external"
    assert result["choices"][0]["message"] == {"role": "assistant", "content": "hi"}
    assert result["usage"]["neurons"] == pytest.approx(
        (result["usage"]["prompt_tokens"] * 0.1 + result["usage"]["completion_tokens"] * 0.3) / 11
    )


def test_native_frames_count_increments_and_the_last_one_the_total(emulator, frames_of, said):
    *frames, tail = frames_of(emulator.run(GEMMA, {"messages": said("Hello"), "stream": True}))
    assert tail.keys() == {"response", "usage"}
    for key in ("prompt_tokens", "completion_tokens", "total_tokens"):
        assert summed(frames, key) == tail["usage"][key]
    assert frames[0]["usage"]["completion_tokens"] == 0
    assert all(frame["usage"]["prompt_tokens"] == 0 for frame in frames[1:])
    assert all(frame["p"] for frame in frames)
    assert frames[-1]["choices"] == []
    assert frames[-2]["choices"][0]["finish_reason"] == "stop"
    assert frames[-2]["usage"]["total_tokens"] == 0


def test_a_stream_uses_what_the_whole_answer_uses(emulator, frames_of, said):
    whole = emulator.result(GEMMA, {"messages": said("Hello")})
    tail = frames_of(emulator.run(GEMMA, {"messages": said("Hello"), "stream": True}))[-1]
    assert tail["usage"] == whole["usage"]


def test_the_openai_stream_ends_with_totals_on_a_frame_without_choices(emulator, frames_of, said):
    body = {"model": GEMMA, "messages": said("Hello"), **ASKED}
    *frames, last = frames_of(emulator.v1("chat/completions", body))
    assert last["choices"] == []
    assert last["usage"]["prompt_tokens"] == summed(frames, "prompt_tokens")
    assert last["usage"]["completion_tokens"] == summed(frames, "completion_tokens") + 1
    assert "".join(f["choices"][0]["delta"].get("content", "") for f in frames).startswith("Hello!")


def test_the_openai_stream_has_no_usage_unless_asked(emulator, frames_of, said):
    body = {"model": GEMMA, "messages": said("Hello"), "stream": True}
    frames = frames_of(emulator.v1("chat/completions", body))
    assert not any("usage" in frame for frame in frames)
    assert all(frame["choices"] for frame in frames)


@pytest.mark.parametrize(
    ("asked", "shown"),
    [
        ({}, False),
        ({"reasoning_effort": "low"}, True),
        ({"reasoning_effort": None}, False),
        ({"chat_template_kwargs": {"enable_thinking": True}}, True),
        ({"chat_template_kwargs": {"enable_thinking": False}, "reasoning_effort": "low"}, False),
        ({"enable_thinking": True}, False),
    ],
)
def test_reasoning_is_shown_when_asked_for(emulator, said, asked, shown):
    message = emulator.result(GEMMA, {"messages": said("Say only: hi"), **asked})["choices"][0]["message"]
    assert ("reasoning_content" in message) is shown
    assert message["content"] == "hi"


def test_streamed_reasoning_stands_in_its_own_key(emulator, frames_of, said):
    body = {"messages": said("Say only: hi"), "stream": True, "reasoning_effort": "low"}
    deltas = [f["choices"][0]["delta"] for f in frames_of(emulator.run(GEMMA, body)) if f.get("choices")]
    assert all("reasoning_content" in delta for delta in deltas)
    assert "".join(delta["reasoning_content"] or "" for delta in deltas)
    assert "".join(delta.get("content") or "" for delta in deltas) == "hi"


def test_some_models_always_think(emulator, said):
    result = emulator.result("@cf/zai-org/glm-5.3-flash", {"messages": said("Say only: hi")})
    assert result["choices"][0]["message"]["reasoning_content"]


@pytest.mark.parametrize(("model", "content"), [("@cf/zai-org/glm-5.2", ""), ("@cf/nvidia/nemotron-3-120b-a12b", None)])
def test_a_budget_spent_on_reasoning_leaves_nothing_or_null(emulator, said, model, content):
    body = {"messages": said("Hello"), "max_completion_tokens": 3, "reasoning_effort": "low"}
    choice = emulator.result(model, body)["choices"][0]
    assert choice["message"]["content"] == content
    assert choice["finish_reason"] == "length"


def test_stop_is_obeyed_whole_and_streamed(emulator, frames_of, said):
    body = {"messages": said("Count to 9"), "stop": ["5", "4"]}
    result = emulator.result(GEMMA, body)
    assert result["choices"][0]["message"]["content"] == "1, 2, 3, "
    assert result["choices"][0]["finish_reason"] == "stop"
    frames = frames_of(emulator.run(GEMMA, body | {"stream": True}))
    assert "".join(f["choices"][0]["delta"].get("content", "") for f in frames if f.get("choices")) == "1, 2, 3, "


def test_digits_stay_text(emulator, said):
    result = emulator.result(GEMMA, {"messages": said("What is 3 + 3?")})
    assert result["choices"][0]["message"]["content"] == "6"
