"""What the counts say beside the sums: reasoning, and the part of the prompt that was cached."""

import pytest

LLAMA = "@cf/meta/llama-3.3-70b-instruct-fp8-fast"
SCOUT = "@cf/meta/llama-4-scout-17b-16e-instruct"
GPT_OSS = "@cf/openai/gpt-oss-20b"
GEMMA = "@cf/google/gemma-4-26b-a4b-it"
LONG = "Say only: hi. " + "The keeper of the lighthouse has two goats and a boat. " * 10


def cached(usage):
    return usage.get("prompt_tokens_details", {}).get("cached_tokens", 0)


@pytest.fixture
def usage_of(emulator, said):
    def usage_of(model, text=LONG, session="one", **more):
        body = {"model": model, "messages": said(text), **more}
        return emulator.v1("chat/completions", body, x_session_affinity=session).json()["usage"]

    return usage_of


@pytest.mark.parametrize("model", [LLAMA, SCOUT, GPT_OSS, GEMMA])
def test_a_prompt_sent_again_to_the_same_instance_is_cached(usage_of, model):
    first, second = usage_of(model), usage_of(model)
    assert cached(first) == 0
    assert 0 < cached(second) < second["prompt_tokens"] == first["prompt_tokens"]
    assert cached(second) % 16 == 0
    assert cached(usage_of(model, session="two")) == 0


def test_only_what_both_prompts_begin_with_is_cached(usage_of):
    usage_of(GEMMA)
    assert 0 < cached(usage_of(GEMMA, LONG + "And a dog.")) <= cached(usage_of(GEMMA))
    assert cached(usage_of(GEMMA, "Now " + LONG)) == 0


def test_short_prompts_never_hit_and_nobody_does_without_the_header(emulator, usage_of, said):
    assert cached(usage_of(GEMMA, "Hi")) == cached(usage_of(GEMMA, "Hi")) == 0
    body = {"model": GEMMA, "messages": said(LONG)}
    usages = [emulator.v1("chat/completions", body).json()["usage"] for _ in range(2)]
    assert [cached(usage) for usage in usages] == [0, 0]


@pytest.mark.parametrize("model", [LLAMA, GPT_OSS, GEMMA])
def test_a_stream_tells_of_the_cache_as_well(emulator, frames_of, said, model):
    body = {"model": model, "messages": said(LONG), "stream": True, "stream_options": {"include_usage": True}}
    for expected in (False, True):
        response = emulator.v1("chat/completions", body, x_session_affinity="s")
        usages = [frame["usage"] for frame in frames_of(response) if "usage" in frame]
        assert bool(max(map(cached, usages))) is expected


def test_a_model_that_caches_nothing_says_so(emulator, said):
    body = {"model": "@cf/meta/llama-3.1-8b-instruct", "messages": said(LONG)}
    for _ in range(2):
        assert cached(emulator.v1("chat/completions", body, x_session_affinity="s").json()["usage"]) == 0


@pytest.mark.parametrize(("model", "asked"), [(GPT_OSS, {}), (GEMMA, {"reasoning_effort": "low"})])
def test_reasoning_is_counted_within_the_completion(usage_of, model, asked):
    usage = usage_of(model, "Say only: hi", **asked)
    assert 0 < usage["completion_tokens_details"]["reasoning_tokens"] < usage["completion_tokens"]
    assert "completion_tokens_details" not in usage_of(LLAMA, "Say only: hi")


def test_streamed_increments_of_reasoning_add_up(emulator, frames_of, said):
    body = {"messages": said("Say only: hi"), "stream": True, "reasoning_effort": "low"}
    *frames, tail = frames_of(emulator.run(GEMMA, body))
    counts = [frame["usage"].get("completion_tokens_details", {}).get("reasoning_tokens", 0) for frame in frames]
    assert sum(counts) == tail["usage"]["completion_tokens_details"]["reasoning_tokens"] > 0


def test_the_key_of_reasoning_can_be_the_other_one(emulator, frames_of, said):
    body = {"model": GPT_OSS, "messages": said("Say only: hi")}
    message = emulator.v1("chat/completions", body, x_emulator_quirk="reasoning-key").json()["choices"][0]["message"]
    assert message["reasoning"]
    assert "reasoning_content" not in message
    frames = frames_of(emulator.v1("chat/completions", {**body, "stream": True}, x_emulator_quirk="reasoning-key"))
    assert "".join(frame["choices"][0]["delta"].get("reasoning", "") for frame in frames) == message["reasoning"]
