"""A text cut into sentences, as the brain quotes them."""

import re
from dataclasses import dataclass

_PARAGRAPH = re.compile(r"\n[ \t]*\n")
_END = re.compile(r"(?<=[.!?])[\"')\]]*\s+(?=[\"'(\[]?[^\W_a-z])|(?<=[。！？])")
# A full stop after these does not end a sentence.
_ABBREVIATION = re.compile(r"(?:\b(?:[A-Z]|Dr|Mr|Mrs|Ms|Prof|St|No|vs|e\.g|i\.e|approx|ca|Inc|Ltd|Jr|Sr|Fig))\.$")
_ITEM = re.compile(r"^\s*(?:[-*•+|#>]|\d{1,3}[.)]\s)")


@dataclass(frozen=True, slots=True)
class Sentence:
    """A sentence and the number of the paragraph it stands in, from 0."""

    text: str
    paragraph: int


def split(text: str) -> list[Sentence]:
    """The sentences of `text` in order. Wrapped lines are joined; list items, headings and table rows stand alone."""
    return [
        Sentence(sentence, number)
        for number, paragraph in enumerate(_PARAGRAPH.split(text))
        for block in _blocks(paragraph)
        for sentence in _sentences(block)
    ]


def _blocks(paragraph: str) -> list[str]:
    blocks: list[str] = []
    for line in filter(None, map(str.strip, paragraph.split("\n"))):
        if blocks and _continues(blocks[-1], line):
            blocks[-1] += " " + line
        else:
            blocks.append(line)
    return blocks


def _continues(before: str, line: str) -> bool:
    """A line goes on with the one before it unless either is an item, or both look like entries of a list."""
    if _ITEM.match(line) or before.startswith("#"):
        return False
    # A short line without a stop before a line that starts anew: an entry or a heading, not wrapped prose.
    return len(before) >= 50 or before[-1] in ".,;:!?-" or not line[0].isupper()


def _sentences(block: str) -> list[str]:
    sentences: list[str] = []
    for piece in filter(None, map(str.strip, _END.split(block))):
        if sentences and _ABBREVIATION.search(sentences[-1]):
            sentences[-1] += " " + piece
        else:
            sentences.append(piece)
    return sentences
