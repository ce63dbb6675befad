"""The files that a demo answers from, cut into passages."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from workers_ai.cli.failure import CommandError

SHIPPED = Path(__file__).parent / "corpus"
"""The town of Velmouth, which no model has read about."""
SUFFIXES = (".md", ".txt")
LONGEST = 1500
"""Characters of a passage: short enough for the embedding models that read 512 tokens."""

_BLANK_LINES = re.compile(r"\n(?:[ \t]*\n)+")
_HEADING = re.compile(r"#{1,6}[ \t]")


@dataclass(frozen=True, slots=True)
class Passage:
    """A paragraph under its heading, and the file it stands in, as a path below the corpus folder."""

    text: str
    source: str


@dataclass(frozen=True, slots=True)
class Corpus:
    """Passages in the order of the files. empty: the files that hold no text."""

    folder: Path
    passages: Sequence[Passage]
    empty: Sequence[str] = ()

    @property
    def files(self) -> int:
        """How many files the passages come from."""
        return len({passage.source for passage in self.passages})


def read_corpus(folder: Path) -> Corpus:
    """The .md and .txt files (UTF-8) in `folder` and below; what begins with a dot is passed over.

    Raises CommandError where there is no such folder, no text in it, or a file cannot be read.
    """
    if not folder.exists():
        raise CommandError(f"no such folder: {folder}")
    if not folder.is_dir():
        raise CommandError(f"{folder} is a file: name the folder that holds it")
    passages: list[Passage] = []
    empty: list[str] = []
    for path in _text_files(folder):
        source = path.relative_to(folder).as_posix()
        found = [Passage(text, source) for text in split(_read(path))]
        passages += found
        if not found:
            empty.append(source)
    if not passages:
        told = f"only empty ones: {', '.join(empty)}" if empty else "none"
        raise CommandError(f"no text in {folder}: .md and .txt files are read, in folders below too; found {told}")
    return Corpus(folder, passages, empty)


def split(text: str) -> list[str]:
    """The paragraphs of a text, each under the heading it stands below; what is longer than LONGEST is cut."""
    passages: list[str] = []
    heading, used = "", True
    for block in _BLANK_LINES.split(text):
        titles, body = _headings(block.strip().splitlines())
        if titles:
            # Headings that follow each other belong together: the title, then the section.
            heading = titles if used else f"{heading}\n{titles}"
            used = False
        if body:
            passages += [f"{heading}\n\n{piece}" if heading else piece for piece in _pieces(body)]
            used = True
    return passages if used else [*passages, heading]


def _text_files(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.rglob("*")):
        hidden = any(part.startswith(".") for part in path.relative_to(folder).parts)
        if path.suffix.lower() in SUFFIXES and not hidden and path.is_file():
            yield path


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise CommandError(f"{path} is not UTF-8 text (byte {error.start}): save it as UTF-8 or leave it out") from None
    except OSError as error:
        raise CommandError(f"{path} cannot be read: {error.strerror}") from None


def _headings(lines: Sequence[str]) -> tuple[str, str]:
    """The heading lines at the beginning of a block, and the rest."""
    count = next((at for at, line in enumerate(lines) if not _HEADING.match(line)), len(lines))
    return "\n".join(lines[:count]), "\n".join(lines[count:])


def _pieces(paragraph: str) -> Iterator[str]:
    """A paragraph in pieces of at most LONGEST characters, cut after a sentence where there is one, else at a blank."""
    while len(paragraph) > LONGEST:
        start = paragraph[:LONGEST]
        cut = max(start.rfind(end) for end in (". ", ".\n", "! ", "? ")) + 1
        if cut < LONGEST // 2:
            cut = max(start.rfind(" "), start.rfind("\n"), 0) or LONGEST
        yield paragraph[:cut].strip()
        paragraph = paragraph[cut:].strip()
    if paragraph:
        yield paragraph
