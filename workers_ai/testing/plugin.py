"""The pytest plugin: `workers_ai_server` and `workers_ai_faults`, registered by entry point.

pytest loads this module in every run of every project that has the package installed: it imports nothing but pytest and
what Python brings.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from workers_ai.local import FaultRules
    from workers_ai.testing.emulator import Emulator

_SERVER = pytest.StashKey["Emulator"]()


@pytest.fixture
def workers_ai_server(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Emulator]:
    """The emulator of Workers AI on a port of its own, new for each test.

    The environment leads to it: `ChatWorkersAI()` and every other class without connection arguments reach it, and no
    gateway is set. `reply`, `call_tool` and `fail` script what chats are answered; `requests` are those it saw. A test
    fails that leaves scripted turns unused, or whose requests the script could not answer.
    """
    from workers_ai.testing.emulator import Emulator

    with Emulator() as server:
        for name in server.variables_in_the_way:
            monkeypatch.delenv(name, raising=False)
        for name, value in server.environment().items():
            monkeypatch.setenv(name, value)
        request.node.stash[_SERVER] = server
        yield server


@pytest.fixture
def workers_ai_faults(workers_ai_server: Emulator) -> FaultRules:
    """What goes wrong with the next requests to `workers_ai_server`: `workers_ai_faults.next("reset-inside")`.

    Chats, embeddings and rankings alike; `workers_ai.local.faults` lists the names. A test fails that leaves one unmet.
    """
    return workers_ai_server.faults


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, object, object]:
    """A test that passes has used its script up; where one fails, the report tells what could not be answered."""
    __tracebackhide__ = True
    try:
        result = yield
    except BaseException:
        if (server := item.stash.get(_SERVER, None)) is not None and server.script.problems:
            item.add_report_section("call", "workers_ai_server", "\n".join(server.script.problems))
        raise
    if (server := item.stash.get(_SERVER, None)) is not None:
        server.check()
    return result
