"""What the package writes to the log of one attempt: a line, and its facts as attributes of the record.

Under `workers_ai.transport` at DEBUG one record an attempt, at INFO one for each pause before another and for each
change to another model (`fallback`; `model` is the one that failed, `next_model` the one to be asked). Facts: `method`,
`path` (without the account), `model`, `attempt` (from 1), `status`, `duration` (seconds, to the end of the answer),
`request_id`, `error` (a class) and `code`, None where there is none. No bodies and no headers: those of bodies go to
`workers_ai.bodies`, and only after `workers_ai.telemetry.log_bodies()`.
"""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Any

from workers_ai import telemetry
from workers_ai.redaction import masked

if TYPE_CHECKING:
    from workers_ai.attempt import Attempt
    from workers_ai.errors import WorkersAIError

_attempts = logging.getLogger("workers_ai.transport")
_bodies = logging.getLogger("workers_ai.bodies")

_SHOWN = 64 * 1024  # characters of a body


def attempted(attempt: Attempt[Any, Any]) -> None:
    """An attempt is over, well or not."""
    if _attempts.isEnabledFor(logging.DEBUG):
        seconds = time.perf_counter() - attempt.began
        request = attempt.exchange.request
        _attempts.debug(
            "%s %s: %s in %.3f s, attempt %d",
            request.method,
            request.path,
            _outcome(attempt),
            seconds,
            attempt.number,
            extra={**_facts(attempt, attempt.error), "duration": seconds},
        )
    if telemetry.bodies and _bodies.isEnabledFor(logging.DEBUG):
        _tell_bodies(attempt)


def pausing(attempt: Attempt[Any, Any], error: WorkersAIError, pause: float) -> None:
    """There will be another attempt, in `pause` seconds."""
    _attempts.info(
        "attempt %d failed (%s), next in %.1f s",
        attempt.number,
        type(error).__name__,
        pause,
        extra={**_facts(attempt, error), "pause": pause},
    )


def changing(error: WorkersAIError, model: str | None) -> None:
    """A model has failed for good, and `model` is asked next; None: it cannot be asked this, and is left out."""
    told = {"model": error.model, "next_model": model, "error": type(error).__name__, "code": error.code}
    _attempts.info(
        "%s failed (%s), %s",
        error.model,
        type(error).__name__,
        f"the next model is {model}" if model is not None else "it is left out",
        extra={**told, "status": error.status, "request_id": error.request_id},
    )


def _facts(attempt: Attempt[Any, Any], error: WorkersAIError | None) -> dict[str, object]:
    request, head = attempt.exchange.request, attempt.head
    return {
        "method": request.method,
        "path": request.path,
        "model": request.model,
        "attempt": attempt.number,
        "status": head.status if head is not None else None,
        "request_id": head.request_id if head is not None else None,
        "error": type(error).__name__ if error is not None else None,
        "code": error.code if error is not None else None,
    }


def _outcome(attempt: Attempt[Any, Any]) -> str:
    status = str(attempt.head.status) if attempt.head is not None else "no answer"
    if attempt.error is not None:
        return f"{status} ({type(attempt.error).__name__})"
    return status if attempt.reader is None or attempt.finished else f"{status}, not read to its end"


def _tell_bodies(attempt: Attempt[Any, Any]) -> None:
    """What was sent and what came; a body that is made at the moment of sending holds a token, and is not told."""
    request = attempt.exchange.request
    sent = request.body if isinstance(request.body, bytes) else b""
    came = attempt.body if attempt.reader is None else attempt.reader.partial.encode()
    for direction, body in (("request", sent), ("reply", came)):
        if body:
            text = masked(body[:_SHOWN].decode("utf-8", "replace"), attempt.secrets)
            facts = {**_facts(attempt, attempt.error), "direction": direction, "body": text}
            _bodies.debug("%s of %s %s: %s", direction, request.method, request.path, text, extra=facts)
