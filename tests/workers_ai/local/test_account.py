import pytest

HELLO = {"messages": [{"role": "user", "content": "Hello"}]}
LLAMA = "@cf/meta/llama-3.1-8b-instruct"


def codes(response):
    return [error["code"] for error in response.json()["errors"]]


@pytest.mark.parametrize("authorization", [None, "", "Bearer", "Bearer ", "Basic abc", "local-emulator-token"])
def test_a_missing_or_malformed_authorization_is_an_auth_error_with_status_400(emulator, authorization):
    headers = {} if authorization is None else {"authorization": authorization}
    response = emulator.request("POST", f"{emulator.ai}/run/{LLAMA}", headers=headers, json=HELLO)
    assert (response.status_code, codes(response)) == (400, [9106])


def test_a_wrong_token_is_refused_with_a_null_result(emulator):
    response = emulator.run(LLAMA, HELLO, authorization="Bearer wrong")
    assert (response.status_code, codes(response)) == (401, [10000])
    assert response.json()["result"] is None


@pytest.mark.parametrize("account_id", ["None", "f" * 32])
def test_an_unknown_account_is_two_errors_in_one_list(emulator, account_id):
    response = emulator.post(f"/client/v4/accounts/{account_id}/ai/run/{LLAMA}", HELLO)
    assert (response.status_code, codes(response)) == (404, [7003, 7000])
    assert f"/accounts/{account_id}/ai/run" in response.json()["errors"][0]["message"]


def test_a_bad_route_is_the_same_two_errors(emulator):
    response = emulator.post(f"{emulator.ai}/walk/{LLAMA}", HELLO)
    assert (response.status_code, codes(response)) == (404, [7003, 7000])


def test_an_unknown_model_is_refused(emulator):
    response = emulator.run("@cf/does/not-exist", HELLO)
    assert (response.status_code, codes(response)) == (400, [5007])
    assert codes(emulator.run("gpt-4", HELLO)) == [5007]


def test_an_account_can_have_another_id_and_token(make_emulator):
    from workers_ai.local import Account

    emulator = make_emulator(Account("ab" * 16, "another-made-up-token"))
    assert emulator.run(LLAMA, HELLO).status_code == 200
    assert emulator.run(LLAMA, HELLO, authorization="Bearer local-emulator-token").status_code == 401


def test_the_account_keeps_its_books(emulator):
    usage = emulator.result(LLAMA, HELLO)["usage"]
    emulator.run("@cf/baai/bge-m3", {"text": ["one two three"]})
    totals = emulator.account.usage
    assert totals.calls == 2
    assert totals.by_model[LLAMA].neurons == pytest.approx(usage["neurons"])
    assert totals.by_model[LLAMA].total_tokens == usage["total_tokens"]
    assert totals.by_model["@cf/baai/bge-m3"].prompt_tokens == 3


def test_a_stream_is_charged_what_it_produced(emulator, frames_of):
    frames = frames_of(emulator.run(LLAMA, HELLO | {"stream": True}))
    assert emulator.account.usage.total_tokens == frames[-1]["usage"]["total_tokens"]


def test_a_refused_call_is_not_charged(emulator):
    emulator.run(LLAMA, HELLO | {"top_k": 51})
    assert emulator.account.usage.calls == 0


def test_the_free_allocation_comes_to_an_end(make_emulator):
    """As seen of the service: code 4006, and the id of the request behind the words."""
    from workers_ai.local import Account

    emulator = make_emulator(Account(free_neurons=10_000))
    assert emulator.run(LLAMA, HELLO).status_code == 200
    emulator.account.usage.neurons = 10_000
    for refused in (emulator.run(LLAMA, HELLO), emulator.run("@cf/baai/bge-m3", {"text": "one"})):
        assert (refused.status_code, codes(refused)) == (429, [4006])
        assert "used up your daily free allocation of 10,000 neurons" in refused.json()["errors"][0]["message"]
        assert "retry-after" not in refused.headers


def test_the_free_allocation_holds_behind_a_gateway_too(make_emulator):
    from workers_ai.local import Account

    emulator = make_emulator(Account(free_neurons=0))
    response = emulator.run(LLAMA, HELLO, **{"cf-aig-gateway-id": "default"})
    assert (response.status_code, codes(response)) == (429, [4006])
