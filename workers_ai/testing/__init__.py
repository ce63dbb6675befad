"""For the tests of programs that use this package: the emulator as a pytest fixture, and cassettes without secrets.

pytest finds the fixtures `workers_ai_server` and `workers_ai_faults` by itself (`plugin`); nothing is loaded before a
test asks for one. `vcr_config()` is for vcrpy and pytest-recording.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from workers_ai.testing.cassettes import vcr_config as vcr_config
    from workers_ai.testing.emulator import Emulator as Emulator
    from workers_ai.testing.seen_request import SeenRequest as SeenRequest

__all__ = ["Emulator", "SeenRequest", "vcr_config"]

_HOMES = {"Emulator": "emulator", "SeenRequest": "seen_request", "vcr_config": "cassettes"}


def __getattr__(name: str) -> Any:
    """Load a public name on first use."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
