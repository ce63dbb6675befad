"""What can be switched on to watch the package: OpenTelemetry spans of the core, and bodies in the log.

Both are off by default, and cost nothing while they are.

Spans are those of `workers_ai.Client` alone: the frameworks have instrumentations of their own, which see every call of
the adapters' classes, and a second span for the same call would count its tokens twice.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from opentelemetry.trace import Tracer, TracerProvider

tracer: Tracer | None = None
"""What makes the spans; None while they are off."""

bodies: bool = False
"""Whether the bodies of requests and replies go to the log."""


def instrument(tracer_provider: TracerProvider | None = None) -> None:
    """From now on each call of `workers_ai.Client` is a span, by the conventions for generative AI.

    One span a call, however many attempts it takes: operation, models, options, tokens, cost, gateway's facts, and the
    error if there was one; no texts. tracer_provider: the global one if None.

    Raises ImportError, naming the extra, where OpenTelemetry is not installed.
    """
    global tracer
    try:
        from opentelemetry.trace import get_tracer
    except ImportError:
        raise ImportError('spans are an extra: pip install "workers-ai[otel]"') from None
    from workers_ai.version import version

    tracer = get_tracer("workers_ai", version(), tracer_provider)


def uninstrument() -> None:
    """No more spans."""
    global tracer
    tracer = None


def log_bodies(*, on: bool = True) -> None:
    """Whether requests and replies are logged with their texts, at level DEBUG under `workers_ai.bodies`.

    Prompts and answers are then in the log, for everybody who can read it. Tokens are masked even so.
    """
    global bodies
    bodies = on
