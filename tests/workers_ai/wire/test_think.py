"""Thinking in the text is split off at `</think>`, whole or in pieces (quirk 30)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workers_ai.wire.think import ThinkSplitter, split


@pytest.mark.parametrize(
    ("text", "reasoning", "answer"),
    [
        ("Hmm.\n</think>\n\nYes.", "Hmm.", "Yes."),
        ("<think>\nHmm.\n</think>\n\nYes.", "Hmm.", "Yes."),
        ("</think>Yes.", "", "Yes."),
        ("Yes.", "", "Yes."),
        ("", "", ""),
        ("Hmm.</think>", "Hmm.", ""),
        ("a</think>b</think>c", "a", "b</think>c"),
    ],
)
def test_a_text_is_split(text: str, reasoning: str, answer: str):
    assert split(text) == (reasoning, answer)


def fed(pieces: list[str]) -> tuple[str, str]:
    """Reasoning and answer of a text in pieces. What was reasoning while no tag had come is answer after all."""
    splitter = ThinkSplitter()
    found = [splitter.feed(piece) for piece in pieces]
    closing = splitter.close()
    if closing[1]:
        return "", closing[1]
    return "".join(thought for thought, _ in [*found, closing]), "".join(text for _, text in found)


WORDS = st.text(st.sampled_from("ab <>/tihnk\n"), max_size=12)


@given(before=WORDS, after=WORDS, opened=st.booleans(), tag=st.booleans(), data=st.data())
def test_in_pieces_it_is_split_alike(before: str, after: str, opened: bool, tag: bool, data: st.DataObject):
    text = ("<think>" if opened else "") + before + ("</think>" + after if tag else "")
    cuts = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=6)))
    pieces = [text[start:end] for start, end in zip([0, *cuts], [*cuts, len(text)], strict=True)]
    reasoning, answer = fed(pieces)
    whole_reasoning, whole_answer = split(text)
    assert answer == whole_answer
    assert reasoning.strip() == whole_reasoning


def test_thinking_is_told_while_it_comes():
    """Nobody waits for the end of it."""
    splitter = ThinkSplitter()
    assert splitter.feed("<think>Let me ") == ("Let me ", "")
    assert splitter.feed("see.") == ("see.", "")
    assert splitter.feed("</thi") == ("", "")
    assert splitter.feed("nk>\n\n") == ("", "")
    assert splitter.feed("\nYes.") == ("", "Yes.")
    assert splitter.feed("\n\nNo.") == ("", "\n\nNo.")
    assert splitter.close() == ("", "")
