import json
import uuid

import pytest

from workers_ai.local import Account, DataLossPrevention, Gateway, Guardrails, RateLimit, SpendLimit

LLAMA = "@cf/meta/llama-3.1-8b-instruct"
HELLO = {"messages": [{"role": "user", "content": "Hello"}]}
OTHER = {"messages": [{"role": "user", "content": "Say only: something else"}]}


class Clock:
    now = 1_000_000.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def guarded(make_emulator, clock):
    """An account with the gateways default, docs and locked, the last with a token."""
    gateways = [Gateway("docs", clock=clock), Gateway("locked", token="gateway-token")]
    return make_emulator(Account(gateways=gateways))


def status_of(response):
    return response.headers["cf-aig-cache-status"]


def through(emulator, body=HELLO, gateway="docs", **headers):
    return emulator.run(LLAMA, body, cf_aig_gateway_id=gateway, **headers)


def test_an_answer_through_a_gateway_carries_its_headers(emulator):
    headers = through(emulator, gateway="default").headers
    log_id = uuid.UUID(headers["cf-aig-log-id"])
    assert log_id.version == 7
    assert headers["cf-aig-log-id"] == headers["cf-aig-request-id"] == headers["cf-aig-event-id"]
    assert headers["cf-aig-step"] == "0"
    assert headers["cf-aig-cache-status"] == "MISS"
    assert headers["cf-ai-neurons"]


def test_an_event_id_of_the_callers_own_is_echoed(emulator):
    headers = through(emulator, gateway="default", cf_aig_event_id="mine").headers
    assert headers["cf-aig-event-id"] == "mine"
    assert headers["cf-aig-request-id"] != "mine"


def test_an_unknown_gateway_is_refused_in_the_gateways_own_form(emulator):
    for response in (
        through(emulator),
        emulator.post(f"/v1/{emulator.account.account_id}/docs/workers-ai/{LLAMA}", HELLO),
    ):
        body = response.json()
        assert (body["success"], body["result"], body["name"]) == (False, [], "AiGatewayError")
        assert [error["code"] for error in body["error"]] == [2001]
        assert body["internalCode"] == 2001
        assert body["httpCode"] == response.status_code


@pytest.mark.parametrize(
    ("path", "body"),
    [
        (f"workers-ai/run/{LLAMA}", HELLO),
        (f"workers-ai/{LLAMA}", HELLO),
        ("workers-ai/run/@cf%2Fmeta%2Fllama-3.1-8b-instruct", HELLO),
        ("workers-ai/v1/chat/completions", HELLO | {"model": LLAMA}),
        ("compat/chat/completions", HELLO | {"model": f"workers-ai/{LLAMA}"}),
        ("workers-ai/v1/embeddings", {"model": "@cf/baai/bge-m3", "input": "Hello"}),
    ],
)
def test_the_gateways_host_serves_each_form(emulator, path, body):
    response = emulator.post(f"/v1/{emulator.account.account_id}/default/{path}", body)
    assert response.status_code == 200
    assert response.headers["cf-aig-log-id"]


def test_a_path_without_a_provider_is_answered_like_an_unknown_gateway(emulator):
    response = emulator.post(f"/v1/{emulator.account.account_id}/default/ai/run/{LLAMA}", HELLO)
    assert response.json()["error"][0]["code"] == 2001


def test_a_model_of_another_provider_is_not_found(emulator):
    body = HELLO | {"model": "openai/gpt-9"}
    response = emulator.post(f"/v1/{emulator.account.account_id}/default/compat/chat/completions", body)
    assert (response.status_code, response.json()["error"][0]["code"]) == (404, 7003)


def test_the_gateways_token_and_the_models_token_are_two(guarded):
    path = f"/v1/{guarded.account.account_id}/locked/workers-ai/run/{LLAMA}"
    without = guarded.post(path, HELLO)
    assert (without.status_code, without.json()["internalCode"]) == (401, 2009)
    gateway_only = guarded.request("POST", path, headers={"cf-aig-authorization": "Bearer gateway-token"}, json=HELLO)
    assert (gateway_only.status_code, gateway_only.json()["errors"][0]["code"]) == (401, 10000)
    assert guarded.post(path, HELLO, cf_aig_authorization="Bearer gateway-token").status_code == 200
    assert through(guarded, gateway="locked").status_code == 200  # the REST host asks for one token only


def test_nothing_is_cached_unless_asked_for(guarded):
    assert [status_of(through(guarded)) for _ in range(2)] == ["MISS", "MISS"]


def test_the_same_request_hits_until_its_time_is_over(guarded, clock):
    first = through(guarded, cf_aig_cache_ttl="60")
    again = through(guarded, cf_aig_cache_ttl="60", cf_aig_metadata='{"user": "b"}')
    assert (status_of(first), status_of(again)) == ("MISS", "HIT")
    assert again.json() == first.json()
    assert again.headers["cf-aig-log-id"] != first.headers["cf-aig-log-id"]
    assert "cf-ai-neurons" not in again.headers
    assert guarded.account.usage.calls == 1
    assert status_of(through(guarded, OTHER, cf_aig_cache_ttl="60")) == "MISS"
    clock.now += 61
    assert status_of(through(guarded, cf_aig_cache_ttl="60")) == "MISS"


def test_a_time_of_zero_does_not_switch_the_cache_off_but_skip_cache_does(guarded, clock):
    through(guarded, cf_aig_cache_ttl="0")
    assert status_of(through(guarded, cf_aig_cache_ttl="0")) == "HIT"
    assert status_of(through(guarded, cf_aig_cache_ttl="0", cf_aig_skip_cache="true")) == "MISS"
    clock.now += 301
    assert status_of(through(guarded, cf_aig_cache_ttl="0")) == "MISS"


def test_a_key_of_the_callers_own_replaces_all_else_and_lasts_five_minutes(guarded, clock):
    first = through(guarded, cf_aig_cache_key="k")
    other = through(guarded, OTHER, cf_aig_cache_key="k")
    assert (status_of(other), other.json()) == ("HIT", first.json())
    clock.now += 301
    assert status_of(through(guarded, OTHER, cf_aig_cache_key="k")) == "MISS"


def test_a_gateway_may_cache_by_itself(make_emulator):
    emulator = make_emulator(Account(gateways=[Gateway("docs", cache_ttl=60)]))
    assert [status_of(through(emulator)) for _ in range(2)] == ["MISS", "HIT"]


def test_a_stream_is_cached_whole(guarded):
    body = HELLO | {"stream": True}
    first, again = (through(guarded, body, cf_aig_cache_ttl="60") for _ in range(2))
    assert status_of(again) == "HIT"
    assert again.headers["content-type"] == "text/event-stream"
    assert again.text == first.text


def test_refusals_and_embeddings_are_not_cached(guarded):
    refused = [through(guarded, HELLO | {"top_k": 99}, cf_aig_cache_ttl="60") for _ in range(2)]
    assert [(r.status_code, status_of(r)) for r in refused] == [(400, "MISS")] * 2
    for _ in range(2):
        headers = {"cf_aig_gateway_id": "docs", "cf_aig_cache_ttl": "60"}
        assert status_of(guarded.run("@cf/baai/bge-m3", {"text": "x"}, **headers)) == "MISS"


def test_the_log_tells_each_call(guarded):
    usage = through(guarded, cf_aig_cache_ttl="60").json()["result"]["usage"]
    through(guarded, cf_aig_cache_ttl="60")
    through(guarded, HELLO | {"top_k": 99})
    paid, hit, refused = guarded.account.gateway("docs").logs
    assert (paid["tokens_in"], paid["tokens_out"]) == (usage["prompt_tokens"], usage["completion_tokens"])
    assert paid["cost"] == pytest.approx(usage["neurons"] * 0.000011)
    assert (hit["cached"], hit["cost"]) == (True, 0)
    assert (refused["success"], refused["status_code"]) == (False, 400)
    assert {entry["model"] for entry in (paid, hit, refused)} == {LLAMA}


def test_a_stream_is_logged_when_it_is_over(guarded, frames_of):
    response = through(guarded, HELLO | {"stream": True})
    (entry,) = guarded.account.gateway("docs").logs
    assert entry["id"] == response.headers["cf-aig-log-id"]
    assert entry["tokens_out"] == frames_of(response)[-1]["usage"]["completion_tokens"]


def test_without_a_log_there_is_no_log_id(guarded):
    response = through(guarded, cf_aig_collect_log="false")
    assert "cf-aig-log-id" not in response.headers
    assert response.headers["cf-aig-request-id"]
    assert not guarded.account.gateway("docs").logs
    through(guarded, cf_aig_collect_log_payload="false")
    assert guarded.account.gateway("docs").logs[0]["request_body"] is None


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ('{"user": "a", "n": 1, "x": 1.5, "ok": true}', {"user": "a", "n": 1, "x": 1.5, "ok": True}),
        (json.dumps({f"k{i}": i for i in range(7)}), {f"k{i}": i for i in range(5)}),
        ('{"user": "a", "team": null}', {}),
        ('{"user": "a", "team": {"id": 1}}', {}),
        ("[1]", {}),
        ("no json", {}),
    ],
)
def test_metadata_keeps_five_entries_and_one_bad_value_drops_all(guarded, sent, kept):
    assert through(guarded, cf_aig_metadata=sent).status_code == 200
    assert json.loads(guarded.account.gateway("docs").logs[0]["metadata"]) == kept


# What a gateway refuses by itself, and which model it chooses


def code_of(response):
    body = response.json()
    return response.status_code, body.get("internalCode")


def test_a_rate_limit_counts_a_sliding_time(make_emulator, clock):
    emulator = make_emulator(Account(gateways=[Gateway("docs", rate_limit=RateLimit(2, 10), clock=clock)]))
    assert [code_of(through(emulator))[0] for _ in range(3)] == [200, 200, 429]
    clock.now += 11
    response = through(emulator)
    assert response.status_code == 200
    assert "retry-after" not in through(emulator).headers


def test_a_spend_limit_holds_until_its_window_is_over_and_hits_ignore_it(make_emulator, clock):
    gateway = Gateway("docs", spend_limit=SpendLimit(1e-9, 100), cache_ttl=3600, clock=clock)
    emulator = make_emulator(Account(gateways=[gateway]))
    assert code_of(through(emulator))[0] == 200
    assert code_of(through(emulator, OTHER)) == (429, 2045)
    assert status_of(through(emulator)) == "HIT"
    clock.now += 101
    assert code_of(through(emulator, OTHER))[0] == 200


def test_guardrails_read_the_system_text_and_may_only_note(make_emulator):
    told = {"messages": [{"role": "system", "content": "No Dynamite."}, {"role": "user", "content": "Hello"}]}
    for action, status in (("BLOCK", 422), ("FLAG", 200)):
        guarded = Gateway("docs", guardrails=Guardrails(prompt=["dynamite"], action=action))
        assert through(make_emulator(Account(gateways=[guarded])), told).status_code == status
    down = Gateway("docs", guardrails=Guardrails(scanner="down", action="FLAG"))
    assert through(make_emulator(Account(gateways=[down])), told).status_code == 200


def test_a_guarded_stream_is_whole_on_the_gateways_host_and_passes_on_the_rest_host(make_emulator):
    """On the REST host the verdict is not enforced on what streams."""
    emulator = make_emulator(Account(gateways=[Gateway("docs", guardrails=Guardrails(answer=["response"]))]))
    streamed = HELLO | {"stream": True}
    assert through(emulator, streamed).headers["content-type"] == "text/event-stream"
    response = emulator.post(f"/v1/{emulator.account.account_id}/docs/workers-ai/run/{LLAMA}", streamed)
    assert code_of(response) == (424, 2017)


def test_embeddings_skip_the_check_of_the_answer(make_emulator):
    emulator = make_emulator(Account(gateways=[Gateway("docs", guardrails=Guardrails(answer=["data"]))]))
    assert emulator.run("@cf/baai/bge-m3", {"text": "x"}, cf_aig_gateway_id="docs").status_code == 200


def test_a_finding_stands_in_a_header_whether_it_blocks_or_not(make_emulator):
    for action, status in (("BLOCK", 400), ("FLAG", 200)):
        emulator = make_emulator(
            Account(gateways=[Gateway("docs", data_loss_prevention=DataLossPrevention(["Hello"], action))])
        )
        response = through(emulator)
        assert response.status_code == status
        assert json.loads(response.headers["cf-aig-dlp"])["action"] == action


def test_another_vendors_model_is_paid_from_the_credits_unless_a_key_is_stored(make_emulator):
    emulator = make_emulator(Account(gateways=["docs", Gateway("keyed", stored_keys=["default"])], credits=0.01))
    body = HELLO | {"model": "openai/gpt-5.5"}
    answer = emulator.v1("chat/completions", body)
    assert (answer.status_code, answer.json()["model"]) == (200, "openai/gpt-5.5")
    assert "neurons" not in answer.json()["usage"]
    assert "cf-ai-neurons" not in answer.headers
    left = emulator.account.credits
    assert left < 0.01
    assert emulator.v1("chat/completions", body, cf_aig_gateway_id="keyed").status_code == 200
    assert emulator.account.credits == left
    assert emulator.account.usage.neurons == 0
    emulator.account.credits = 0
    refused = emulator.v1("chat/completions", body)
    assert code_of(refused) == (402, 2021)
    assert "cf-aig-log-id" not in refused.headers


def test_the_auto_router_keeps_a_turns_model(make_emulator):
    emulator = make_emulator(Account(credits=1))
    body = HELLO | {"model": "cloudflare/auto"}
    first = emulator.v1("chat/completions", body, cf_aig_session_id="s", cf_aig_allowed_models="anthropic/*")
    wide = {"cf_aig_session_id": "s", "cf_aig_allowed_models": "anthropic/*,openai/*"}
    again = emulator.v1("chat/completions", body, **wide)
    assert again.headers["cf-aig-routed-model"] == first.headers["cf-aig-routed-model"]
    assert again.headers["cf-aig-routing-reason"] == "pinned_by_turn"
    free = emulator.v1("chat/completions", body, **wide, cf_aig_no_session_affinity="true")
    assert free.headers["cf-aig-routed-model"].startswith("openai/")
