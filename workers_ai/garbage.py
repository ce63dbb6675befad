"""What must not happen inside the garbage collector.

A stream that was left and lies in a reference cycle is closed by the collector, which runs wherever this thread happens
to allocate: also inside httpcore's pool, while the thread holds the pool's lock. Closing takes that lock again, and
the thread waits for itself for ever. What closing needs is therefore put off to a thread of its own.
"""

from __future__ import annotations

import _thread
import gc
import threading
from collections.abc import Callable
from contextlib import suppress


class _Collecting(threading.local):
    """Whether this thread is inside a collection."""

    now: bool = False


_collecting = _Collecting()


def _watch(phase: str, _: object) -> None:
    _collecting.now = phase == "start"


gc.callbacks.append(_watch)


def collecting() -> bool:
    """Whether the caller was called by the garbage collector."""
    return _collecting.now


def later(work: Callable[[], None]) -> None:
    """Does `work` in a thread of its own, soon. For a caller inside a collection: takes no lock, and never waits."""
    # Starting a thread by `threading` takes locks that this thread may hold; this does not. The process may be at its
    # end, and then its sockets are as well.
    with suppress(RuntimeError):
        _thread.start_new_thread(_start, (work,))


def _start(work: Callable[[], None]) -> None:
    with suppress(RuntimeError):
        threading.Thread(target=work, name="workers-ai-closing", daemon=True).start()
