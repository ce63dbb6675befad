"""A progress bar over queued work."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from workers_ai.progress import bar_of

if TYPE_CHECKING:
    from workers_ai.queued import QueueStatus

OnStatus = Callable[["QueueStatus"], object]


@contextmanager
def watched(count: int | None, on_status: OnStatus | None, *, shown: bool) -> Iterator[OnStatus]:
    """What to call with each status: it moves a bar over `count` inputs, if it is shown, and calls `on_status`.

    The bar stands on stderr where that is a terminal, or in a notebook; None for `count`: not known yet.
    Raises ModuleNotFoundError for a bar without tqdm.
    """
    tell = on_status or _ignore
    if not shown:
        yield tell
        return
    with bar_of(count, "Queued", "inputs") as bar:

        def move(status: QueueStatus) -> None:
            bar.set_postfix_str(status.state, refresh=False)
            bar.update(status.finished - bar.n)
            bar.refresh()
            tell(status)

        yield move


def _ignore(_: QueueStatus) -> None:
    """Nobody asked."""
