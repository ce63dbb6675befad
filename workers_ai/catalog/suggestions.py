"""The id of the catalogue that is nearest to one it does not hold: "did you mean"."""

from __future__ import annotations

from .entries import base_of, find, ids

# Below this likeness (0 to 1, difflib's ratio of the last parts of the ids) a suggestion is noise.
LIKENESS = 0.72
# A model that has ended has to be that much nearer to be named before a living one; a beta model a little.
CURRENT_BONUS = 0.08
BETA_MALUS = 0.04
# The shortest beginning that counts as one: "gpt-oss" yes, "llama" no.
SHORTEST_BEGINNING = 6
# Longer strings are no mistyped ids, and difflib would take long over them.
LONGEST_ID = 120


def nearest(model: str) -> str | None:
    """The id probably meant by `model`, or None: nothing near, an id that is known, a gateway's route."""
    if len(model) > LONGEST_ID or model.startswith("dynamic/") or find(model).known:
        return None
    tail = _tail(model)
    if not tail:
        return None
    best = max(ids(), key=lambda known: (_score(tail, known), -len(known)))
    return best if _likeness(tail, _tail(best)) >= LIKENESS else None


def _tail(model: str) -> str:
    """The last part, small: the author and the `@cf` before it are what people leave out or get wrong."""
    return base_of(model.strip().lower().rstrip("/")).rpartition("/")[2]


def _score(tail: str, known: str) -> float:
    """Likeness, a living model before one that has ended, a settled one before a beta."""
    info = find(known)
    bonus = CURRENT_BONUS * (info.status == "current") - BETA_MALUS * info.beta
    return _likeness(tail, _tail(known)) + bonus


def _likeness(tail: str, known: str) -> float:
    """2 for the same, 1 for a beginning, else difflib's ratio."""
    if tail == known:
        return 2.0
    if len(tail) >= SHORTEST_BEGINNING and known.startswith(tail):
        return 1.0
    import difflib  # here: 3 ms that only a mistyped id has to pay

    return difflib.SequenceMatcher(None, tail, known).ratio()
