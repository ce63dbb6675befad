"""The kinds of pooling, as the command line offers them."""

from __future__ import annotations

from enum import StrEnum


class Pooling(StrEnum):
    """How a model makes one vector of a text's tokens; vectors of the two do not mix."""

    MEAN = "mean"
    CLS = "cls"
