"""The two forms of the wire, by name: siblings with the same functions."""

from __future__ import annotations

from types import ModuleType
from typing import TYPE_CHECKING

from workers_ai.wire import native, openai

if TYPE_CHECKING:
    from workers_ai.api import Form

FORMS: dict[Form, ModuleType] = {"native": native, "openai": openai}
