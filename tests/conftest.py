"""What every test can rely on: no account of the person who runs it, no proxy to the emulator, no tracing."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator

import hypothesis
import pytest

from workers_ai.local import LocalServer

# The tests look the same on every machine: a developer's own account, gateway or tracing would change what they see.
for name in list(os.environ):
    if name.startswith(("CLOUDFLARE_", "CF_", "LANGSMITH_", "LANGCHAIN_")):
        del os.environ[name]

# The emulator listens on this machine: a proxy set in the environment must not stand before it.
os.environ["NO_PROXY"] = os.environ["no_proxy"] = "127.0.0.1,localhost,::1"

# LlamaIndex asks for the thread's event loop, and Python before 3.14 then makes one that nobody closes. Once the loop
# has been set, to none, there is none to be made.
asyncio.set_event_loop(None)

# No deadline: two cores share the work, and the first call of a test may import a framework.
# The same examples in every run, so that a failure is the change's own; HYPOTHESIS_PROFILE=search looks for new ones.
hypothesis.settings.register_profile("fixed", deadline=None, derandomize=True)
hypothesis.settings.register_profile("search", deadline=None, max_examples=1000)
hypothesis.settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "fixed"))


@pytest.fixture(scope="session")
def emulator() -> Iterator[LocalServer]:
    """The emulator, once for all tests of a worker."""
    with LocalServer() as server:
        yield server
