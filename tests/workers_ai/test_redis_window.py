"""One limit over several processes: a Redis of Debian's package, started here on loopback."""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
import subprocess
import sys
import time
from bisect import bisect_right
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from pydantic import SecretStr

from workers_ai import Client
from workers_ai import errors as e
from workers_ai.limiter import Clock, Lines, MinuteLimiter

URL, MODEL = "https://api.example/client/v4", "@cf/meta/llama-3.3-70b-instruct-fp8-fast"
LIMIT = 300
PASSWORD = "redis-Hh61-secret"


@pytest.fixture(scope="module")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a Redis that lives as long as the tests of this file."""
    program = shutil.which("redis-server")
    if program is None:
        pytest.skip("redis-server is not installed: apt-get install redis-server")
    pytest.importorskip("redis", reason="the extra `redis` is not installed")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    options = {"port": port, "bind": "127.0.0.1", "save": "", "appendonly": "no", "requirepass": PASSWORD}
    command = [program, *(word for name, value in options.items() for word in (f"--{name}", str(value)))]
    folder = tmp_path_factory.mktemp("redis")
    with (folder / "log").open("w") as log, subprocess.Popen(command, cwd=folder, stdout=log, stderr=log) as server:
        try:
            _await(port, server, folder / "log")
            yield f"redis://:{PASSWORD}@127.0.0.1:{port}/0"
        finally:
            server.terminate()
            server.wait(timeout=30)


def _await(port: int, server: subprocess.Popen[bytes], log: Path) -> None:
    for _ in range(300):
        assert server.poll() is None, log.read_text()
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise AssertionError(f"Redis does not listen: {log.read_text()}")


RESERVING = """
import sys
from pydantic import SecretStr
from workers_ai.limiter import Clock
from workers_ai.redis_window import RedisLine
address, account, limit, times = sys.stdin.read().split()
line = RedisLine(SecretStr(address), ("https://api.example/client/v4", account, "@cf/a/b"), int(limit), Clock())
for _ in range(int(times)):
    print(line.reserve().written)
"""


def reserving(address: str, account: str, limit: int, times: int) -> subprocess.Popen[str]:
    """A process that reserves so many turns, and prints when each of them is, in microseconds of Redis' clock."""
    process = subprocess.Popen(
        [sys.executable, "-c", RESERVING], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env={**os.environ}
    )
    assert process.stdin is not None
    process.stdin.write(f"{address} {account} {limit} {times}")
    process.stdin.close()
    process.stdin = None
    return process


def most_in_a_minute(times: list[float]) -> int:
    times = sorted(times)
    return max(place - bisect_right(times, at - 60.0) + 1 for place, at in enumerate(times))


def test_two_processes_keep_one_limit_of_300_a_minute_and_use_it(redis_url: str):
    """1,500 turns, handed out at once for five minutes ahead: never more in any minute, 95 % of the limit used."""
    processes = [reserving(redis_url, "a" * 32, LIMIT, 750) for _ in range(2)]
    told = [process.communicate(timeout=60)[0].split() for process in processes]
    assert [len(times) for times in told] == [750, 750]
    each = [[int(at) / 1e6 for at in times] for times in told]
    times = sorted(each[0] + each[1])
    assert most_in_a_minute(times) <= LIMIT
    waves = [at for at in times if at < times[-1] - 30]
    assert len(waves) / (LIMIT * (times[-1] - times[0]) / 60) >= 0.95
    assert all(turns == sorted(turns) for turns in each)


def test_threads_and_tasks_of_one_process_share_it_too(redis_url: str):
    """By real time, with a window of half a second; limits are kept by when each of them goes."""
    from workers_ai.redis_window import RedisLine

    lines, clock, gone = Lines(), Clock(), []
    scope = (URL, "b" * 32, MODEL)
    lines._lines[(scope, 20, SecretStr(redis_url))] = RedisLine(SecretStr(redis_url), scope, 20, clock, window=0.5)
    limiter = MinuteLimiter(URL, "b" * 32, 20, SecretStr(redis_url), lines=lines)

    def by_threads() -> None:
        for _ in range(10):
            limiter.acquire(MODEL)
            gone.append(clock.now())

    async def by_tasks() -> None:
        async def one() -> None:
            await limiter.aacquire(MODEL)
            gone.append(clock.now())

        async with asyncio.timeout(30):
            await asyncio.gather(*(one() for _ in range(30)))

    threads = [Thread(target=by_threads, daemon=True) for _ in range(3)]
    for thread in threads:
        thread.start()
    asyncio.run(by_tasks())
    for thread in threads:
        thread.join(timeout=30)
    assert len(gone) == 60
    assert max(gone) - min(gone) >= 0.95  # three windows: the first at once, the third a second later


def test_a_turn_that_is_given_back_is_free_for_the_next_one(redis_url: str):
    from workers_ai.redis_window import RedisLine

    line = RedisLine(SecretStr(redis_url), (URL, "c" * 32, MODEL), 1, Clock())
    first, second = line.reserve(), line.reserve()
    assert int(second.written) - int(first.written) == 61_000_000
    line.give_back(second)
    assert line.reserve().written == second.written
    line.give_back(first)  # it has come, and is used
    assert int(line.reserve().written) - int(second.written) == 61_000_000


def test_redis_forgets_a_line_that_nobody_uses(redis_url: str):
    from redis import Redis

    from workers_ai.redis_window import RedisLine

    line = RedisLine(SecretStr(redis_url), (URL, "d" * 32, MODEL), 1, Clock(), window=0.05)
    line.reserve()
    client = Redis.from_url(redis_url)
    for _ in range(200):
        if not client.exists(line._key):
            break
        time.sleep(0.02)
    assert not client.exists(line._key)
    assert MODEL not in line._key


def test_a_client_counts_in_redis(redis_url: str, service: Callable[..., Any], account: str, token: str):
    """The argument leads there, and its password stands in no repr and no dump."""
    fake = service("answer-native-usage")
    client = Client(
        account_id=account, api_token=token, rate_limit=5, rate_limit_store=redis_url, http_client=fake.client()
    )
    assert client.chat("Hello", model=MODEL).text
    from redis import Redis

    assert any(Redis.from_url(redis_url).llen(key) == 1 for key in Redis.from_url(redis_url).keys("workers-ai:rate:*"))
    assert PASSWORD not in repr(client) + str(client.model_dump()) + client.model_dump_json()


@pytest.fixture
def nobody_listens() -> str:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    return f"redis://:{PASSWORD}@127.0.0.1:{port}/0"


@pytest.fixture
def library() -> None:
    pytest.importorskip("redis", reason="the extra `redis` is not installed")


@pytest.mark.usefixtures("library")
def test_where_redis_is_down_nothing_is_sent(way: Any, service: Callable[..., Any], nobody_listens: str):
    from dataclasses import replace

    fake = service("answer-native-usage")
    limiter = MinuteLimiter(URL, "e" * 32, 5, SecretStr(nobody_listens), lines=Lines())
    with pytest.raises(e.APIConnectionError, match="rate_limit_store: Redis does not answer") as caught:
        way(replace(fake.transport(), limiter=limiter))
    assert not fake.requests
    assert caught.value.maybe_sent is False
    assert PASSWORD not in str(caught.value)


@pytest.mark.usefixtures("library")
def test_what_is_no_address_of_a_redis_is_refused(service: Callable[..., Any], account: str, token: str):
    client = Client(
        account_id=account,
        api_token=token,
        rate_limit=5,
        rate_limit_store=f"http://:{PASSWORD}@x",
        http_client=service("answer-native-usage").client(),
    )
    with pytest.raises(e.BadRequestError, match="redis://host") as caught:
        client.chat("Hello")
    assert PASSWORD not in str(caught.value)


def test_without_the_library_the_extra_is_named(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "redis", None)
    limiter = MinuteLimiter(URL, "f" * 32, 5, SecretStr("redis://127.0.0.1:1"), lines=Lines())
    with pytest.raises(ImportError, match=r"workers-ai\[redis\]"):
        limiter.acquire(MODEL)


def test_the_environment_names_the_store(monkeypatch: pytest.MonkeyPatch, account: str):
    monkeypatch.setenv("WORKERS_AI_RATE_LIMIT_STORE", f"redis://:{PASSWORD}@127.0.0.1:1")
    client = Client(account_id=account, rate_limit=5)
    limiter = client._transport.limiter
    assert isinstance(limiter, MinuteLimiter)
    assert limiter.store is not None
    assert PASSWORD in limiter.store.get_secret_value()
    assert PASSWORD not in repr(limiter) + repr(client)
