"""The faults of the emulator, seen on the wire by a client that is none of ours."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Callable, Iterator
from email.utils import parsedate_to_datetime
from typing import Any

import httpx
import pytest

from workers_ai.local import Fault, LocalServer, create_app
from workers_ai.local.fault import Answer, Data
from workers_ai.local.fault_rules import FaultRules, read
from workers_ai.local.faults import NAMES, named

CHAT = "@cf/google/gemma-4-26b-a4b-it"
LLAMA = "@cf/meta/llama-3.1-8b-instruct"
EMBED = "@cf/baai/bge-small-en-v1.5"
RERANK = "@cf/baai/bge-reranker-base"
HELLO = {"messages": [{"role": "user", "content": "Hello"}]}

Call = Callable[..., httpx.Response]


@pytest.fixture(scope="module")
def server() -> Iterator[LocalServer]:
    with LocalServer() as running:
        yield running


@pytest.fixture
def client(server: LocalServer) -> Iterator[httpx.Client]:
    server.faults.clear()
    base = f"{server.base_url}/accounts/{server.account_id}/ai"
    headers = {"authorization": f"Bearer {server.api_token}"}
    with httpx.Client(base_url=base, headers=headers, timeout=5) as made:
        yield made
    server.faults.clear()


def run(client: httpx.Client, model: str = CHAT, body: Any = HELLO, *, fault: str | None = None) -> httpx.Response:
    return client.post(f"/run/{model}", json=body, headers={"x-emulator-fault": fault} if fault else {})


def streamed(client: httpx.Client, *, fault: str | None = None, model: str = CHAT) -> list[dict[str, Any]]:
    """The frames of a stream, `[DONE]` as an empty one."""
    response = run(client, model, {**HELLO, "stream": True}, fault=fault)
    events = [line[6:] for line in response.text.split("\n") if line]
    return [{} if event == "[DONE]" else json.loads(event) for event in events]


@pytest.mark.parametrize(
    ("fault", "status", "code"),
    [
        ("429", 429, None),
        ("3040", 429, 3040),
        ("3036", 429, 3036),
        ("4006", 429, 4006),
        ("3007", 408, 3007),
        ("500", 500, 3043),
        ("504", 504, 7009),
        ("529", 529, 5012),
        ("401", 401, 10000),
        ("status=418", 418, None),
    ],
)
def test_a_refusal_comes_with_its_status_its_code_and_a_request_id(
    client: httpx.Client, fault: str, status: int, code: int | None
):
    response = run(client, fault=fault)
    problems = response.json()["errors"]
    assert (response.status_code, problems[0].get("code") if problems else None) == (status, code)
    assert response.headers["cf-ai-req-id"]


@pytest.mark.parametrize(("fault", "status"), [("502", 502), ("522", 522), ("524", 524), ("1102", 503)])
def test_a_proxy_s_failure_is_a_page(client: httpx.Client, fault: str, status: int):
    response = run(client, fault=fault)
    assert (response.status_code, response.headers["content-type"]) == (status, "text/html; charset=UTF-8")
    assert fault in response.text


def test_retry_after_is_seconds_or_a_date_and_only_there_if_asked_for(client: httpx.Client):
    assert "retry-after" not in run(client, fault="429").headers
    assert run(client, fault="3040=2.5").headers["retry-after"] == "2.5"
    date = parsedate_to_datetime(run(client, fault="429-date=30").headers["retry-after"])
    assert date.timestamp() == pytest.approx(time.time() + 30, abs=2)


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        ("reset-before", httpx.ReadError),
        ("reset-behind-head", httpx.ReadError),
        ("reset-inside", httpx.ReadError),
        ("close-before", httpx.RemoteProtocolError),
        ("half-body", httpx.RemoteProtocolError),
        ("gzip-in-name", httpx.DecodingError),
        ("refused=0.05", httpx.ReadError),
    ],
)
@pytest.mark.parametrize("stream", [False, True])
def test_a_connection_breaks_and_the_next_request_has_a_new_one(
    client: httpx.Client, fault: str, kind: type[Exception], stream: bool
):
    with pytest.raises(kind):
        run(client, body={**HELLO, "stream": stream}, fault=fault)
    time.sleep(0.1 if fault.startswith("refused") else 0)
    for _ in range(100):  # the port opens again by itself
        try:
            assert run(client).status_code == 200
            return
        except httpx.ConnectError:
            time.sleep(0.05)
    pytest.fail("nobody listens any more")


@pytest.mark.parametrize("fault", ["reset-inside", "half-body", "cut-reset"])
def test_of_a_broken_body_half_has_come(client: httpx.Client, fault: str):
    whole = len(run(client, EMBED, {"text": ["one"]}).content)
    arrived = b""
    request = client.build_request("POST", f"/run/{EMBED}", json={"text": ["one"]}, headers={"x-emulator-fault": fault})
    response = client.send(request, stream=True)
    with contextlib.suppress(httpx.TransportError):
        for piece in response.iter_bytes():
            arrived += piece
        pytest.fail("the body came to its end")
    assert len(arrived) == whole // 2


def test_within_refusing_nobody_answers_and_afterwards_somebody_does(client: httpx.Client, server: LocalServer):
    assert run(client).status_code == 200
    with server.refusing():
        for _ in range(2):
            with pytest.raises(httpx.ConnectError):
                run(client)
    assert run(client).status_code == 200


@pytest.mark.parametrize("fault", ["silence", "silence-inside", "slow-first-byte=30", "slow-drip=30"])
def test_silence_and_slowness_are_met_by_the_client_s_patience(client: httpx.Client, fault: str):
    client.timeout = httpx.Timeout(0.1)
    with pytest.raises(httpx.ReadTimeout):
        run(client, body={**HELLO, "stream": True}, fault=fault)
    assert run(client).status_code == 200


@pytest.mark.parametrize("fault", ["slow-first-byte=0.01", "slow-drip=0.001", "split", "split=7", "gzip", "unended"])
@pytest.mark.parametrize("stream", [False, True])
def test_what_only_arrives_otherwise_says_the_same(client: httpx.Client, fault: str, stream: bool):
    if stream:
        plain, other = streamed(client), streamed(client, fault=fault)
        assert [each["choices"] for each in other if "choices" in each] == [
            each["choices"] for each in plain if "choices" in each
        ]
        assert other[-1] == {}
    else:
        assert run(client, fault=fault).json()["result"]["choices"] == run(client).json()["result"]["choices"]


def test_bytes_come_one_by_one_when_they_are_split_at_every_position():
    steps = list(named("split").play(Answer(body="é{}".encode())))  # type: ignore[union-attr]
    assert [step.data for step in steps if isinstance(step, Data)] == [b"\xc3", b"\xa9", b"{", b"}"]


def test_a_stream_can_end_too_soon(client: httpx.Client):
    whole = streamed(client)
    assert whole[-1] == {}
    for number in range(len(whole)):
        assert len(streamed(client, fault=f"cut={number}")) == number
    assert len(streamed(client, fault="cut")) == len(whole) // 2
    assert streamed(client, fault="no-done")[-1] != {}


def test_an_error_can_stand_behind_any_number_of_events(client: httpx.Client):
    last = len(streamed(client)) - 1  # no [DONE] behind it
    for number in range(last + 1):
        frames = streamed(client, fault=f"error-frame={number}")
        assert len(frames) == number + 1
        assert frames[-1]["errors"][0]["code"] == 3043
    assert streamed(client, fault="error-frame-busy")[0]["errors"][0]["code"] == 3040
    assert "code" not in streamed(client, fault="error-frame-openai")[0]["error"]


def test_an_error_in_a_document_stands_in_a_success(client: httpx.Client):
    response = run(client, fault="error-frame")
    assert (response.status_code, response.json()["success"]) == (200, False)


def usages(frames: list[dict[str, Any]]) -> list[tuple[int, int] | None]:
    told = [frame["usage"] for frame in frames if "usage" in frame]
    return [(usage["prompt_tokens"], usage["completion_tokens"]) if usage else None for usage in told]


@pytest.mark.parametrize("model", [CHAT, LLAMA])
def test_usage_can_mean_whatever_it_has_been_seen_to_mean(client: httpx.Client, model: str):
    total = max(usages(streamed(client, model=model)), key=lambda each: each or (0, 0))
    assert total is not None
    seen = {name: usages(streamed(client, model=model, fault=f"usage-{name}")) for name in ("missing", "null", "twice")}
    assert seen["missing"] == []
    assert set(seen["null"]) == {None}
    assert seen["twice"] == [total, total]
    assert usages(streamed(client, model=model, fault="usage-then-zeros")) == [total, (0, 0)]


def test_usage_of_chunks_can_be_increments_or_what_came_so_far(client: httpx.Client):
    plain = usages(streamed(client))
    total = max(plain, key=lambda each: each or (0, 0))
    assert total is not None
    alone = usages(streamed(client, fault="usage-increments-alone"))
    assert (sum(each[0] for each in alone if each), sum(each[1] for each in alone if each)) == total
    assert usages(streamed(client, fault="usage-increments")) == [*alone, total]
    running = usages(streamed(client, fault="usage-running"))
    assert running[-1] == total
    assert running == sorted(running, key=lambda each: each or (0, 0))


@pytest.mark.parametrize(
    ("fault", "counts"), [("fewer-vectors", 1), ("more-vectors", 3), ("no-vectors", 0), ("short-vector", 2)]
)
def test_vectors_can_be_too_few_or_too_many_or_too_short(client: httpx.Client, fault: str, counts: int):
    texts = ["one", "two"]
    native = run(client, EMBED, {"text": texts}, fault=fault).json()["result"]
    assert (len(native["data"]), native["shape"][0]) == (counts, counts)
    body, headers = {"model": EMBED, "input": texts}, {"x-emulator-fault": fault}
    data = client.post("/v1/embeddings", json=body, headers=headers).json()["data"]
    assert len(data) == counts
    if fault == "short-vector":
        assert len(native["data"][-1]) == len(data[-1]["embedding"]) == len(native["data"][0]) // 2


def test_a_ranking_can_be_empty_or_of_other_texts(client: httpx.Client):
    body = {"query": "one", "contexts": [{"text": "one"}, {"text": "two"}]}
    assert run(client, RERANK, body, fault="empty-ranking").json()["result"]["response"] == []
    ranked = run(client, RERANK, body, fault="foreign-ranking").json()["result"]["response"]
    assert all(each["id"] >= 1000 for each in ranked)


@pytest.mark.parametrize("fault", ["fewer-vectors", "foreign-ranking", "usage-twice"])
def test_what_finds_nothing_to_spoil_lets_the_answer_pass(client: httpx.Client, fault: str):
    assert run(client, fault=fault).json()["success"] is True


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("of_stream", [False, True])
def test_every_fault_can_be_played_on_an_answer_of_any_kind(name: str, of_stream: bool):
    kind = "text/event-stream" if of_stream else "application/json"
    fault = named(name)
    assert fault is not None
    assert fault.name == name
    steps = list(fault.play(Answer(200, {"content-type": kind}, b"data: {}\n\n" if of_stream else b"{}")))
    assert steps


# Which request meets which fault


def statuses(client: httpx.Client, times: int) -> list[int]:
    return [run(client).status_code for _ in range(times)]


def test_faults_befall_the_next_requests_in_their_order(client: httpx.Client, server: LocalServer):
    server.faults.next("429*2")
    server.faults.next("ok")
    server.faults.next("500")
    server.faults.next("504", times=2)
    assert server.faults.left == 5
    assert statuses(client, 7) == [429, 429, 200, 500, 504, 504, 200]
    assert server.faults.left == 0


def test_a_fault_can_last_and_be_cleared(client: httpx.Client, server: LocalServer):
    server.faults.next("500*")
    assert statuses(client, 3) == [500, 500, 500]
    server.faults.clear()
    assert statuses(client, 1) == [200]


def test_a_fault_can_befall_each_so_manieth_request(client: httpx.Client, server: LocalServer):
    server.faults.next("500/3")
    assert statuses(client, 7) == [200, 200, 500, 200, 200, 500, 200]


def test_a_fault_can_wait_for_a_model_a_path_or_anything(client: httpx.Client, server: LocalServer):
    server.faults.next("500", model=EMBED)
    server.faults.next("504", path="/v1/chat")
    server.faults.next("529", when=lambda request: request.json["messages"][0]["content"] == "Bye")
    assert statuses(client, 1) == [200]
    assert run(client, EMBED, {"text": "a"}).status_code == 500
    assert client.post("/v1/chat/completions", json={"model": CHAT, **HELLO}).status_code == 504
    assert run(client, body={"messages": [{"role": "user", "content": "Bye"}]}).status_code == 529
    assert server.faults.left == 0


def test_a_header_says_how_often_and_another_one_counts_anew(client: httpx.Client):
    def answers(fault: str) -> list[int]:
        return [run(client, fault=fault).status_code for _ in range(3)]

    assert answers("500") == [500, 500, 500]
    assert answers("500*2#one run") == [500, 500, 200]
    assert answers("500*2#another") == [500, 500, 200]
    assert answers("500/2#third") == [200, 500, 200]


def test_a_header_that_names_no_fault_is_told(client: httpx.Client):
    response = run(client, fault="resett")
    assert response.status_code == 400
    assert "there is no fault 'resett'; there are: ok, 429" in response.json()["errors"][0]["message"]


@pytest.mark.parametrize("text", ["nonsense", "429=x", "429=-1", "500*0", "500/0", "reset-before=3", "status=99", ""])
def test_what_is_no_fault_is_refused_at_once(text: str):
    with pytest.raises(ValueError, match="fault"):
        FaultRules([text])


def test_a_server_can_start_with_faults_and_with_one_s_own():
    own = Fault("teapot", lambda answer: named("status=418").play(answer), asks=False)  # type: ignore[union-attr]
    with LocalServer(faults=["500", own]) as server, httpx.Client() as client:
        assert [client.get(server.url).status_code for _ in range(3)] == [500, 418, 200]


def test_the_variable_lists_faults():
    assert read(" 429=2*2, ok*3,reset-inside ,") == ["429=2*2", "ok*3", "reset-inside"]
    assert read("") == []
    with pytest.raises(ValueError, match="no fault 'oops'"):
        read("429, oops")


async def test_without_a_port_a_broken_connection_is_said_to_be_impossible():
    transport = httpx.ASGITransport(create_app(faults=FaultRules(["500", "reset-before"])))
    async with httpx.AsyncClient(transport=transport, base_url="http://emulator") as client:
        assert (await client.get("/")).status_code == 500
        with pytest.raises(ConnectionResetError, match="LocalServer"):
            await client.get("/")


def test_a_request_tells_its_model(server: LocalServer, client: httpx.Client):
    server.clear()
    run(client, EMBED, {"text": "a"})
    client.post("/run", json={"model": CHAT, "input": HELLO})
    client.post("/v1/chat/completions", json={"model": LLAMA, **HELLO})
    client.post(f"{server.gateway_url}/{server.account_id}/default/workers-ai/{RERANK}", json={})
    client.get("/models/search")
    assert [request.model for request in server.requests] == [EMBED, CHAT, LLAMA, RERANK, None]
