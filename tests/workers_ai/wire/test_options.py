"""Which options of a chat are sent."""

from __future__ import annotations

from typing import Any

import pytest

from workers_ai.wire.options import given


@pytest.mark.parametrize(
    ("options", "sent"),
    [
        ({"temperature": None, "seed": 0}, {"seed": 0}),
        ({"reasoning_effort": None}, {"reasoning_effort": None}),
        ({"reasoning_effort": "default", "lora": "default"}, {"lora": "default"}),
        ({"reasoning_effort": "low"}, {"reasoning_effort": "low"}),
    ],
)
def test_none_is_not_sent_but_where_it_means_something(options: dict[str, Any], sent: dict[str, Any]):
    assert given(options) == sent
