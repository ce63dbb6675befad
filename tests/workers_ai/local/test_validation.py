import pytest

LLAMA = "@cf/meta/llama-3.1-8b-instruct"
SCOUT = "@cf/meta/llama-4-scout-17b-16e-instruct"
GEMMA = "@cf/google/gemma-4-26b-a4b-it"
PARTS = [{"type": "text", "text": "Say only: hi"}]


def refusal(response):
    error = response.json()["errors"][0]
    return response.status_code, error["code"], error["message"]


def test_content_in_parts_is_refused_with_every_branch_that_failed(emulator):
    messages = [{"role": "system", "content": PARTS}, {"role": "user", "content": "Hello"}]
    for response in (
        emulator.run(LLAMA, {"messages": messages}),
        emulator.v1("chat/completions", {"model": LLAMA, "messages": messages}),
    ):
        status, code, text = refusal(response)
        assert (status, code) == (400, 5006)
        assert "oneOf at '/' not met" in text
        assert "required properties at '/' are 'prompt'" in text
        assert "'/messages/0/content', 'array' not in 'string'" in text
        assert "'/messages/1/content', 'string' not in 'array'" in text


@pytest.mark.parametrize("model", [SCOUT, GEMMA, "@cf/openai/gpt-oss-20b"])
def test_content_in_parts_is_taken_by_newer_models(emulator, model):
    body = {"model": model, "messages": [{"role": "user", "content": PARTS}]}
    response = emulator.v1("chat/completions", body)
    assert response.json()["choices"][0]["message"]["content"] == "hi"


def test_null_content_beside_tool_calls_is_refused_by_classic_models_only(emulator, said):
    call = {"id": "a", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    messages = [*said("Hello"), {"role": "assistant", "content": None, "tool_calls": [call]}]
    messages.append({"role": "tool", "tool_call_id": "a", "content": "21 degrees"})
    status, code, text = refusal(emulator.run(LLAMA, {"messages": messages}))
    assert (status, code) == (400, 5006)
    assert "'/messages/1/content', 'string' not in 'null'" in text
    assert emulator.run(GEMMA, {"messages": messages}).status_code == 200


@pytest.mark.parametrize(
    ("option", "value", "complaint"),
    [
        ("top_k", 51, "'/top_k' must be <= 50"),
        ("temperature", 5.1, "'/temperature' must be <= 5"),
        ("temperature", -1, "'/temperature' must be >= 0"),
        ("top_p", 0, "'/top_p' must be >= 0.001"),
        ("seed", 0, "'/seed' must be >= 1"),
        ("seed", 10**10, "'/seed' must be <= 9999999999"),
        ("repetition_penalty", 3, "'/repetition_penalty' must be <= 2"),
        ("max_tokens", "5", "'/max_tokens', 'string' not in 'number'"),
        ("temperature", None, "'/temperature', 'null' not in 'number'"),
    ],
)
def test_options_out_of_range_are_refused(emulator, said, option, value, complaint):
    status, code, text = refusal(emulator.run(LLAMA, {"messages": said("Hello"), option: value}))
    assert (status, code) == (400, 5006)
    assert complaint in text


def test_newer_models_take_null_and_end_at_temperature_2(emulator, said):
    body = {"messages": said("Hello")}
    assert emulator.run(GEMMA, body | {"temperature": None, "seed": 0}).status_code == 200
    assert emulator.run(GEMMA, body | {"temperature": 2.1}).status_code == 400
    assert emulator.run(LLAMA, body | {"temperature": 2.1}).status_code == 200


@pytest.mark.parametrize(
    "messages",
    [
        "Hello",
        [],
        ["Hello"],
        [{"content": "Hello"}],
        [{"role": "user"}],
        [{"role": "robot", "content": "Hello"}],
        [{"role": "user", "content": None}],
        [{"role": "user", "content": 5}],
    ],
)
@pytest.mark.parametrize("model", [LLAMA, GEMMA])
def test_messages_that_are_none_are_refused(emulator, model, messages):
    assert refusal(emulator.run(model, {"messages": messages}))[:2] == (400, 5006)


def test_a_model_for_messages_refuses_a_prompt(emulator):
    assert refusal(emulator.run(GEMMA, {"prompt": "Hello"}))[:2] == (400, 5006)
    assert emulator.v1("chat/completions", {"model": LLAMA, "prompt": "Hello"}).status_code == 400


def test_newer_models_refuse_in_openais_form_on_v1(emulator):
    response = emulator.v1("chat/completions", {"model": GEMMA})
    assert response.status_code == 400
    assert response.json()["error"]["code"] == "invalid_prompt"


def test_prompt_and_longest_answer_must_fit_the_window(emulator, said):
    body = {"messages": said("Hello"), "max_tokens": 24_000}
    status, code, text = refusal(emulator.run("@cf/meta/llama-3.3-70b-instruct-fp8-fast", body))
    assert (status, code) == (413, 5021)
    assert "(24000)" in text


def test_json_mode_does_not_stream(emulator, said):
    body = {"messages": said("Hello"), "stream": True, "response_format": {"type": "json_object"}}
    assert refusal(emulator.run(LLAMA, body))[:2] == (400, 5023)
