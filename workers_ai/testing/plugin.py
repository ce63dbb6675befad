"""The pytest plugin: `workers_ai_server` and `workers_ai_faults`, registered by entry point.

pytest loads this module in every run of every project that has the package installed: it imports nothing but pytest and
what Python brings.
"""

from __future__ import annotations

from collections.abc import Iterator
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
        # The test failed in another way, perhaps because its program caught the error that told this.
        if _SERVER in request.node.stash and server.script.problems:
            request.node.add_report_section("teardown", "workers_ai_server", "\n".join(server.script.problems))


@pytest.fixture
def workers_ai_faults(workers_ai_server: Emulator) -> FaultRules:
    """What goes wrong with the next requests to `workers_ai_server`: `workers_ai_faults.next("reset-inside")`.

    Chats, embeddings and rankings alike; `workers_ai.local.faults` lists the names. A test fails that leaves one unmet.
    """
    return workers_ai_server.faults


@pytest.hookimpl(trylast=True)
def pytest_runtest_call(item: pytest.Item) -> None:
    """Behind the test itself, and only where it has passed: it is to have used up its script and its faults."""
    if (server := item.stash.get(_SERVER, None)) is not None:
        del item.stash[_SERVER]
        try:
            server.check()
        except AssertionError as error:
            pytest.fail(str(error), pytrace=False)  # where the check stands is no news
