import io
import socket
import threading
import time

import httpx
import pytest

from workers_ai.local import LocalServer

LLAMA = "@cf/meta/llama-3.1-8b-instruct"


@pytest.fixture
def server():
    with LocalServer() as server:
        yield server


@pytest.fixture
def client(server):
    headers = {"authorization": f"Bearer {server.api_token}"}
    with httpx.Client(base_url=server.base_url, headers=headers, trust_env=False) as client:
        yield client


def run(client, server, body):
    return client.post(f"/accounts/{server.account_id}/ai/run/{LLAMA}", json=body)


def test_a_program_speaks_to_it_with_nothing_but_the_environment(server):
    env = server.environment()
    response = httpx.post(
        f"{env['CLOUDFLARE_BASE_URL']}/accounts/{env['CLOUDFLARE_ACCOUNT_ID']}/ai/run/{LLAMA}",
        headers={"Authorization": f"Bearer {env['CLOUDFLARE_API_TOKEN']}"},
        json={"prompt": "Say only: hi"},
        trust_env=False,
    )
    assert response.json()["result"]["response"] == "hi"
    assert server.url.startswith("http://127.0.0.1:")


def test_the_gateways_host_is_there_too(server):
    response = httpx.post(
        f"{server.gateway_url}/{server.account_id}/default/workers-ai/run/{LLAMA}",
        headers={"Authorization": f"Bearer {server.api_token}"},
        json={"prompt": "Say only: hi"},
        trust_env=False,
    )
    assert response.headers["cf-aig-log-id"]


def test_requests_are_kept_until_cleared(server, client):
    run(client, server, {"prompt": "Hello"})
    (request,) = server.requests
    assert request.json == {"prompt": "Hello"}
    assert request.headers["authorization"] == f"Bearer {server.api_token}"
    server.clear()
    assert server.requests == []


def test_a_stream_arrives_piece_by_piece(server, client):
    with LocalServer(delay=0.02) as slow:
        url = f"{slow.base_url}/accounts/{slow.account_id}/ai/run/{LLAMA}"
        body = {"prompt": "Count to 3", "stream": True}
        with client.stream("POST", url, json=body) as response:
            arrivals = [time.monotonic() for chunk in response.iter_raw() if b"response" in chunk]
    assert arrivals[-1] - arrivals[0] > 0.05


def test_many_threads_are_served_at_once():
    with LocalServer(delay=0.05) as server:
        url = f"{server.base_url}/accounts/{server.account_id}/ai/run/{LLAMA}"
        headers = {"authorization": f"Bearer {server.api_token}"}
        answers = []

        def call():
            answers.append(httpx.post(url, headers=headers, json={"prompt": "Say only: hi"}, trust_env=False).json())

        threads = [threading.Thread(target=call) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
    assert [answer["result"]["response"] for answer in answers] == ["hi"] * 8


def test_an_answer_is_not_held_back_on_the_wire(server, client):
    """Nagle's delay is off: with it each answer of two writes would take 40 ms."""
    run(client, server, {"prompt": "Hello"})
    (connection,) = server._server.server_state.connections
    accepted = connection.transport.get_extra_info("socket")
    assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


def test_it_goes_at_once_even_while_a_stream_is_open():
    server = LocalServer(delay=0.05).start()
    url = f"{server.base_url}/accounts/{server.account_id}/ai/run/{LLAMA}"
    headers = {"authorization": f"Bearer {server.api_token}"}
    with httpx.Client(headers=headers, trust_env=False) as client:
        with client.stream("POST", url, json={"prompt": "Count to 200", "stream": True}) as response:
            lines = response.iter_lines()
            next(lines)
            began = time.monotonic()
            server.stop()
            assert time.monotonic() - began < 0.5
            with pytest.raises(httpx.RemoteProtocolError):
                list(lines)
        with pytest.raises(httpx.ConnectError):
            client.get(server.url)


def test_stopping_twice_and_starting_again_is_fine():
    server = LocalServer()
    for _ in range(2):
        with server:
            assert httpx.get(server.url, trust_env=False).json()["emulator"]
        server.stop()


def test_a_port_that_is_taken_is_an_error_at_once(server):
    port = int(server.url.rpartition(":")[2])
    with pytest.raises(OSError, match="in use"):
        LocalServer(port).start()


def test_the_command_line_says_how_to_speak_to_it(monkeypatch, caplog):
    from workers_ai.local import server as module

    monkeypatch.setattr(module._Server, "run", lambda self, sockets: None)
    out = io.StringIO()
    module.serve(port=0, out=out)
    assert "EMULATOR" in out.getvalue()
    assert "export CLOUDFLARE_BASE_URL=http://127.0.0.1:" in out.getvalue()
    assert "curl http://127.0.0.1:" in out.getvalue()
    assert "emulator" in caplog.text
