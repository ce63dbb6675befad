LLAMA = "@cf/meta/llama-3.1-8b-instruct"
HELLO = {"messages": [{"role": "user", "content": "Hello"}]}


def test_every_answer_says_that_it_comes_from_an_emulator(emulator):
    good, bad = emulator.run(LLAMA, HELLO), emulator.post("/nowhere", HELLO)
    for response in (good, bad):
        assert response.headers["x-workers-ai-emulator"] == "1"
        assert response.headers["cf-ray"]
        assert response.headers["cf-ai-req-id"]
    assert "cf-aig-log-id" not in good.headers


def test_a_model_id_may_stand_percent_encoded_in_the_path(emulator):
    plain = emulator.run(LLAMA, HELLO)
    encoded = emulator.run("@cf%2Fmeta%2Fllama-3.1-8b-instruct", HELLO)
    assert encoded.json() == plain.json()


def test_the_model_may_stand_in_the_body_with_its_input_nested(emulator):
    nested = emulator.post(f"{emulator.ai}/run", {"model": LLAMA, "input": HELLO})
    assert nested.json() == emulator.run(LLAMA, HELLO).json()
    flat = emulator.post(f"{emulator.ai}/run", {"model": LLAMA, **HELLO})
    assert flat.status_code == 400


def test_a_refusal_is_signed_with_the_id_of_the_request(emulator):
    response = emulator.run(LLAMA, {})
    message = response.json()["errors"][0]["message"]
    assert message.startswith("AiError: Bad input: ")
    assert message.endswith(f"({response.headers['cf-ai-req-id']})")


def test_what_is_no_json_object_is_refused(emulator):
    path, token = f"{emulator.ai}/run/{LLAMA}", {"authorization": f"Bearer {emulator.account.api_token}"}
    json_type = {**token, "content-type": "application/json"}
    for headers, content in [(json_type, b""), (json_type, b"{"), (json_type, b"[]"), (token, b"{}")]:
        response = emulator.request("POST", path, headers=headers, content=content)
        assert response.status_code == 400
        assert response.json()["success"] is False


def test_a_body_past_the_limit_is_refused_before_anything_else(emulator):
    response = emulator.request("POST", f"{emulator.ai}/run/{LLAMA}", headers={}, content=b" " * (32 * 1024 * 1024 + 1))
    assert (response.status_code, response.json()["errors"][0]["code"]) == (413, 3006)
    assert emulator.requests == []


def test_requests_are_recorded_as_they_arrived(emulator):
    emulator.run("@cf%2Fmeta%2Fx", HELLO, cf_aig_metadata="{}")
    (request,) = emulator.requests
    assert request.method == "POST"
    assert request.path.endswith("/ai/run/@cf/meta/x")
    assert request.raw_path.endswith("/ai/run/@cf%2Fmeta%2Fx")
    assert request.headers["cf-aig-metadata"] == "{}"
    assert request.json == HELLO


def test_half_a_surrogate_pair_in_a_prompt_breaks_nothing(emulator):
    content = b'{"messages":[{"role":"user","content":"Reply exactly with: \\ud800!"}]}'
    headers = {"authorization": f"Bearer {emulator.account.api_token}", "content-type": "application/json"}
    response = emulator.request("POST", f"{emulator.ai}/run/{LLAMA}", headers=headers, content=content)
    assert response.json()["result"]["response"] == "\ud800!"


def test_models_are_listed_in_pages(emulator):
    def search(**query):
        headers = {"authorization": f"Bearer {emulator.account.api_token}"}
        return emulator.request("GET", f"{emulator.ai}/models/search", headers=headers, params=query).json()

    first, second = search(per_page=3), search(per_page=3, page=2)
    assert first["result_info"]["count"] == 3
    assert {m["name"] for m in first["result"]}.isdisjoint(m["name"] for m in second["result"])
    assert search(per_page=3, page=99)["result"] == []
    assert [m["name"] for m in search(search="bge-small")["result"]] == ["@cf/baai/bge-small-en-v1.5"]
    assert all(m["task"]["name"] == "Text Embeddings" for m in search(task="Text Embeddings")["result"])


def test_tools_in_the_body_do_no_harm(emulator):
    function = {"name": "add", "description": "adds", "parameters": {"type": "object", "properties": {}}}
    body = HELLO | {"tools": [{"type": "function", "function": function}], "tool_choice": "auto"}
    for model in (LLAMA, "@cf/openai/gpt-oss-20b", "@cf/google/gemma-4-26b-a4b-it"):
        assert emulator.v1("chat/completions", body | {"model": model}).status_code == 200
    assert emulator.run(LLAMA, body | {"tool_choice": "any"}).json()["errors"][0]["code"] == 8001
