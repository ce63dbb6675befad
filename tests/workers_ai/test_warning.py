"""A warning names the line that the user wrote, whatever stands between."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import pytest

from workers_ai.call import Call, ModelNameWarning
from workers_ai.tasks.chat import ChatRequest, _warn_of_tools, exchange
from workers_ai.warning import warn


def module_that_warns(name: str) -> Any:
    """A module of this name whose `call` and `acall` warn."""
    module = ModuleType(name)
    module.__dict__["warn"] = warn
    source = "def call(*told):\n    warn(*told)\nasync def acall(*told):\n    call(*told)\n"
    exec(compile(source, f"<{name}>", "exec"), module.__dict__)
    return module


@pytest.mark.parametrize(
    "name", ["workers_ai.x", "langchain_workers_ai", "langchain_core.x", "llama_index.core.x", "pydantic.main"]
)
async def test_frames_of_ours_and_of_frameworks_are_passed_over(name: str):
    between = module_that_warns(name)
    with pytest.warns(FutureWarning, match="Soon") as told:
        between.call("Soon", FutureWarning)
    with pytest.warns(FutureWarning, match="Soon") as later:
        await between.acall("Soon", FutureWarning)
    assert [note.filename for note in [*told, *later]] == [__file__] * 2


def test_any_other_module_is_the_users():
    with pytest.warns(UserWarning, match="Look") as told:
        module_that_warns("workers_airport").call("Look")
    assert told[0].filename == "<workers_airport>"


def test_a_near_miss_of_a_model_s_name_is_told_where_it_was_written():
    with pytest.warns(ModelNameWarning, match="did you mean") as told:
        Call("@cf/meta/llama-3.2-3b-instuct")
    assert told[0].filename == __file__


def test_a_doubt_about_tools_is_told_where_the_model_was_called():
    _warn_of_tools.cache_clear()
    tools: Any = [{"function": {"name": "f"}}]
    with pytest.warns(UserWarning, match="does not say") as told:
        exchange(ChatRequest(Call("@cf/meta/llama-3-8b-instruct"), [{"role": "user", "content": "x"}], tools=tools))
    assert told[0].filename == __file__
