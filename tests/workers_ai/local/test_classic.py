import pytest

LLAMA = "@cf/meta/llama-3.1-8b-instruct"
LLAMA_70B = "@cf/meta/llama-3.3-70b-instruct-fp8-fast"


def test_a_native_answer_is_text_under_response(emulator, said):
    response = emulator.run(LLAMA, {"messages": said("Reply exactly with: Good morning")})
    body = response.json()
    assert body.keys() == {"result", "success", "errors", "messages"}
    assert body["result"]["response"] == "Good morning"
    assert body["result"]["tool_calls"] == []
    usage = body["result"]["usage"]
    assert usage["total_tokens"] == usage["prompt_tokens"] + usage["completion_tokens"]
    assert response.headers["cf-ai-neurons"] == f"{usage['neurons']:.2f}"


def test_a_prompt_is_answered_like_a_message(emulator, said):
    prompted = emulator.result(LLAMA, {"prompt": "Reply exactly with: yes"})
    assert prompted == emulator.result(LLAMA, {"messages": said("Reply exactly with: yes")})


def test_an_id_that_nobody_knows_speaks_as_a_classic_model(emulator, said):
    assert emulator.result("@cf/someone/new-model", {"messages": said("Say only: hi")})["response"] == "hi"


@pytest.mark.parametrize("question", ["What is 3 + 3?", "Hello", "Count to 12"])
def test_a_native_stream_says_what_the_whole_answer_says(emulator, frames_of, said, question):
    whole = emulator.result(LLAMA, {"messages": said(question)})
    *pieces, last = frames_of(emulator.run(LLAMA, {"messages": said(question), "stream": True}))
    assert "".join(str(frame["response"]) for frame in pieces) == str(whole["response"])
    assert all("usage" not in frame for frame in pieces)
    assert last["response"] == ""
    assert last["usage"]["completion_tokens"] == whole["usage"]["completion_tokens"] == len(pieces)
    assert last["usage"]["neurons"] == pytest.approx(whole["usage"]["neurons"])


def test_a_token_of_digits_is_a_json_number_everywhere(emulator, frames_of, said):
    body = {"messages": said("What is 3 + 3?")}
    assert emulator.result(LLAMA, body)["response"] == 6
    assert frames_of(emulator.run(LLAMA, body | {"stream": True}))[0]["response"] == 6
    openai = body | {"model": LLAMA}
    assert emulator.v1("chat/completions", openai).json()["choices"][0]["message"]["content"] == 6
    frames = frames_of(emulator.v1("chat/completions", openai | {"stream": True}))
    assert frames[0]["choices"][0]["delta"]["content"] == 6


def test_a_number_that_json_cannot_spell_stays_text(emulator, frames_of, said):
    body = {"messages": said("Reply exactly with: 007"), "stream": True}
    assert frames_of(emulator.run(LLAMA, body))[0]["response"] == "007"


def test_padding_is_a_prefix_of_the_alphabet_and_can_be_switched_off(emulator, frames_of, said):
    body = {"messages": said("Hello"), "stream": True}
    alphabet = "abcdefghijklmnopqrstuvwxyz0123456789" * 2
    frames = frames_of(emulator.run(LLAMA, body))
    assert all(alphabet.startswith(frame["p"]) for frame in frames[:-1])
    plain = frames_of(emulator.run(LLAMA, body | {"stream_options": {"include_obfuscation": False}}))
    assert not any("p" in frame for frame in plain)


def test_the_openai_stream_has_the_right_totals_and_then_zeros(emulator, frames_of, said):
    body = {"model": LLAMA, "messages": said("Hello"), "stream": True}
    *pieces, totals, zeros = frames_of(emulator.v1("chat/completions", body))
    assert all(frame["choices"][0].keys() == {"index", "delta"} for frame in pieces)
    assert not any("usage" in frame for frame in pieces)
    assert totals["usage"]["completion_tokens"] == len(pieces)
    assert totals["choices"][0]["finish_reason"] == zeros["choices"][0]["finish_reason"] == "stop"
    assert zeros["usage"] == {
        "prompt_tokens": 0,
        "completion_tokens": 0,
        "total_tokens": 0,
        "prompt_tokens_details": {"cached_tokens": 0},
    }
    assert len({frame["id"] for frame in (*pieces, totals, zeros)}) == 1
    assert totals["id"].startswith("id-")


def test_llama_3_3_counts_an_increment_on_every_frame_as_well(emulator, frames_of, said):
    body = {"model": LLAMA_70B, "messages": said("Hello"), "stream": True}
    *pieces, totals, _ = frames_of(emulator.v1("chat/completions", body))
    assert sum(frame["usage"]["total_tokens"] for frame in pieces) == totals["usage"]["total_tokens"]


def test_256_tokens_are_the_end_unless_more_are_asked_for(emulator, frames_of, said):
    count = said("Count to 200")
    assert emulator.result(LLAMA, {"messages": count})["usage"]["completion_tokens"] == 256
    longer = emulator.result(LLAMA, {"messages": count, "max_tokens": 1000})
    assert longer["response"].endswith(" 200")
    openai = emulator.v1("chat/completions", {"model": LLAMA, "messages": count, "max_tokens": 3}).json()
    assert openai["choices"][0]["finish_reason"] == "length"
    assert openai["choices"][0]["message"]["content"] == "1, "


def test_stop_is_ignored_as_an_unknown_option(emulator, said):
    body = {"messages": said("Count to 5"), "stop": ["3"], "something_else": True}
    assert emulator.result(LLAMA, body)["response"] == "1, 2, 3, 4, 5"


def test_r1_distill_thinks_in_the_text_and_never_opens_the_tag(emulator, said):
    result = emulator.result("@cf/deepseek-ai/deepseek-r1-distill-qwen-32b", {"messages": said("Say only: hi")})
    before, _, after = result["response"].partition("</think>")
    assert before
    assert "<think>" not in before
    assert after.strip() == "hi"
