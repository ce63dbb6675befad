"""A local emulator of Workers AI and AI Gateway: a real HTTP server with each family's manners, for tests and demos.

Behind it stands a model by rules (`brain`): it quotes the context it is given, chooses tools, fills arguments and
schemas from the message, and answers from results; the same request brings the same words. Odd wire forms that only
some servers show come on demand, by the header `x-emulator-quirk` (`quirk_header` lists them); so does whatever can
go wrong on the way (`faults` lists it), by `LocalServer(faults=...)`, `x-emulator-fault` or `WORKERS_AI_FAULTS`.

`server.script` takes answers written beforehand, turn by turn, for tests of chains and agents.

`with LocalServer() as server:` runs it in a thread; `server.environment()` gives the variables that lead any program
to it. It shares no code with the client side of this package, so it cannot agree with its mistakes.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .account import Account
    from .app import create_app
    from .backend import Backend, OpenAIBackend
    from .fault import Fault
    from .fault_rules import FaultRules
    from .front_door import RecordedRequest
    from .gateway import Gateway
    from .guards import DataLossPrevention, Guardrails
    from .limits import RateLimit, SpendLimit
    from .queue import Queue
    from .script import Script, ScriptError
    from .server import LocalServer, serve

__all__ = [
    "Account",
    "Backend",
    "DataLossPrevention",
    "Fault",
    "FaultRules",
    "Gateway",
    "Guardrails",
    "LocalServer",
    "OpenAIBackend",
    "Queue",
    "RateLimit",
    "RecordedRequest",
    "Script",
    "ScriptError",
    "SpendLimit",
    "create_app",
    "serve",
]

_HOMES = {
    "Account": "account",
    "Backend": "backend",
    "DataLossPrevention": "guards",
    "Fault": "fault",
    "FaultRules": "fault_rules",
    "Gateway": "gateway",
    "Guardrails": "guards",
    "LocalServer": "server",
    "OpenAIBackend": "backend",
    "Queue": "queue",
    "RateLimit": "limits",
    "RecordedRequest": "front_door",
    "Script": "script",
    "ScriptError": "script",
    "SpendLimit": "limits",
    "create_app": "app",
    "serve": "server",
}


def __getattr__(name: str) -> Any:
    """Load a public name on first use. Raises `ImportError` naming the extra when its packages are missing."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        module = import_module(f".{_HOMES[name]}", __name__)
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in {"starlette", "uvicorn"}:
            raise
        raise ImportError(
            "the local emulator needs its extra: pip install 'workers-ai[local]'", name=error.name
        ) from None
    return getattr(module, name)


def __dir__() -> list[str]:
    return sorted(__all__)
