"""The handle of queued work: kept anywhere, and whole when it comes back."""

from __future__ import annotations

import copy
import json
import pickle
from typing import Any

import pytest

from workers_ai import errors as e
from workers_ai.queued import QueuedRequest

HANDLE = QueuedRequest(
    ("id-1", "id-2"), "@cf/baai/bge-m3", "embedding", (2, 1), 1.5, ("a", "b", "c"), {"stops": ["\n"], "max_tokens": 5}
)


@pytest.mark.parametrize(
    "kept",
    [
        lambda handle: QueuedRequest.from_json(handle.to_json()),
        lambda handle: QueuedRequest.from_dict(json.loads(json.dumps(handle.to_dict()))),
        lambda handle: pickle.loads(pickle.dumps(handle)),
        copy.deepcopy,
    ],
)
def test_a_handle_comes_back_whole(kept: Any):
    assert kept(HANDLE) == HANDLE
    assert hash(kept(HANDLE)) == hash(HANDLE)
    assert (kept(HANDLE).request_id, kept(HANDLE).count) == ("id-1", 3)


def test_a_handle_of_an_id_alone_knows_no_count():
    alone = QueuedRequest(("id-1",), "@cf/baai/bge-m3", "embedding")
    assert alone.count is None
    assert QueuedRequest.from_json(alone.to_json()) == alone


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '"id"', '{"request_ids": ["a"]}', '{"request_ids": ["a"], "model": "m", "kind": "x"}']
)
def test_what_is_no_handle_is_refused(text: str):
    with pytest.raises(e.BadRequestError):
        QueuedRequest.from_json(text)


@pytest.mark.parametrize("changed", [{"request_ids": ()}, {"request_ids": ("a", "")}, {"kind": "x"}, {"counts": (1,)}])
def test_a_handle_that_could_not_be_followed_is_not_made(changed: dict[str, Any]):
    told = {"request_ids": ("a", "b"), "model": "m", "kind": "chat", "counts": (1, 1), **changed}
    with pytest.raises(e.BadRequestError):
        QueuedRequest(**told)
