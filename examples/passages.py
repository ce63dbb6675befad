"""2,000 passages about 250 invented towns, the same ones in every run, and questions that one passage each answers.

Eight passages tell of each town, and every town has the same eight things: only a search that looks at both the town
and the thing finds the right one.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import product

_BEGINNINGS = (
    "Ald Bram Cor Dun Esk Fenn Gar Hol Inver Kel Lang Mor Nor Oster Pen Quell Rav Sund Thorn Ulver Vel Wex Yar Zel Birk"
).split()
_ENDINGS = "moor wick haven ford stead mouth burgh field ness ley".split()
_FIRST_NAMES = "Adele Bruno Clara Dario Edda Farid Greta Hanno Ilse Jonas Katya Lorenz Mirela Nadim Orla Piet".split()
_LAST_NAMES = "Brandt Carling Dusek Ekholm Farrow Galen Hartig Iveson Jansky Kerr Lindqvist Marlow Novak Ostrow".split()
_GRAINS = "rye barley oat spelt wheat buckwheat".split()
_DAYS = "Monday Tuesday Wednesday Thursday Friday Saturday".split()


@dataclass(frozen=True, slots=True)
class Passage:
    """A text and where it stands: `quellmoor/lighthouse`."""

    source: str
    text: str


def _person(dice: random.Random) -> str:
    return f"{dice.choice(_FIRST_NAMES)} {dice.choice(_LAST_NAMES)}"


_THINGS: dict[str, Callable[[str, random.Random], str]] = {
    "lighthouse": lambda town, dice: (
        f"The lighthouse of {town} was built by {_person(dice)} in {dice.randint(1740, 1910)}, and its lamp is seen"
        f" from {dice.randint(9, 30)} miles away."
    ),
    "ferry": lambda town, dice: (
        f"The ferry to {town} leaves at {dice.randint(5, 11)} in the morning from pier {dice.randint(1, 9)} and carries"
        f" {dice.randint(20, 240)} passengers."
    ),
    "bakery": lambda town, dice: (
        f"The bakery of {town} sells a {dice.choice(_GRAINS)} bread that keeps for {dice.randint(4, 14)} days, from a"
        f" recipe of {_person(dice)}."
    ),
    "mill": lambda town, dice: (
        f"The mill of {town} grinds {dice.choice(_GRAINS)} and stands on {dice.randint(3, 40)} oak piles that"
        f" {_person(dice)} drove into the river bed."
    ),
    "market": lambda town, dice: (
        f"The market of {town} is held every {dice.choice(_DAYS)} and has {dice.randint(12, 90)} stalls, the oldest of"
        f" them run by {_person(dice)}."
    ),
    "bridge": lambda town, dice: (
        f"The bridge of {town} has {dice.randint(3, 21)} arches and was paid for by {_person(dice)}, who never crossed"
        f" it."
    ),
    "school": lambda town, dice: (
        f"The school of {town} has {dice.randint(40, 600)} pupils and is named after {_person(dice)}, its first"
        f" teacher."
    ),
    "clock": lambda town, dice: (
        f"The clock on the town hall of {town} is {dice.randint(2, 19)} minutes slow, and {_person(dice)} winds it by"
        f" hand."
    ),
}

QUESTIONS = {
    "Who built the lighthouse of Quellmoor?": "quellmoor/lighthouse",
    "How many arches does the bridge of Thornwick have?": "thornwick/bridge",
    "On which day is the market of Sundhaven held?": "sundhaven/market",
}
"""Questions, and the source of the passage that answers each."""


def passages() -> Iterator[Passage]:
    """All 2,000 of them."""
    for beginning, ending in product(_BEGINNINGS, _ENDINGS):
        town = beginning + ending
        for thing, tell in _THINGS.items():
            source = f"{town.lower()}/{thing}"
            yield Passage(source, tell(town, random.Random(source)))
