"""Words of a text, made comparable: what both the vectors and the extractive answers match by."""

import re
from functools import lru_cache

_WORD = re.compile(r"[^\W_]+(?:['’][^\W_]+)?")
# Scripts written without blanks: each pair of neighbours stands for a word.
_UNSPACED = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]{2,}")

STOPWORDS = frozenset(
    """a about after all also an and any are as at be been before but by can could did do does for from had has have he
    her his how i if in into is it its just me my no not of on one or our out she so some such than that the their them
    then there these they this to up us was we were what when where which who whom whose why will with would you your
    please tell give der die das ein eine und ist von zu den im le la les un une et est de des du el los una es y en
    que""".split()
)


def words(text: str) -> list[str]:
    """Lower-cased words of `text` in order; runs of unspaced script come as overlapping pairs of characters."""
    found: list[str] = []
    for match in _WORD.finditer(text.lower()):
        word = match.group().replace("’", "'")
        if _UNSPACED.fullmatch(word):
            found.extend(word[i : i + 2] for i in range(len(word) - 1))
        else:
            found.append(word)
    return found


@lru_cache(maxsize=50_000)
def stem(word: str) -> str:
    """`word` without its English ending: "opened", "opens" and "opening" become one. Rough, but the same each time."""
    word = word.removesuffix("'s")
    for ending in ("ingly", "edly", "ing", "ies", "ied", "ed", "es", "ly", "s"):
        root = word.removesuffix(ending)
        to_y = ending in {"ies", "ied"}  # "flies", "tried"
        if root != word and len(root) >= (2 if to_y else 3) and not (ending == "s" and root.endswith("s")):
            return _tidy(root + "y" if to_y else root)
    return _tidy(word)


def _tidy(root: str) -> str:
    # "stopped" -> "stop", "close"/"closed" -> "clos": the two ways in which a bare root differs from the word.
    if len(root) > 3 and root[-1] == root[-2] and root[-1] not in "aeiouls":
        return root[:-1]
    return root[:-1] if len(root) > 4 and root.endswith("e") else root
