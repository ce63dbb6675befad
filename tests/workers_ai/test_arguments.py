"""Argument names: other spellings, old ones, unknown ones."""

from __future__ import annotations

from typing import Any

import pytest

from workers_ai.arguments import settle, unknown

KNOWN = ["account_id", "api_token", "gateway"]
ALIASES = {"api_key": "api_token"}
MOVED = {
    "cf_account_id": ("account_id", None),
    "ai_gateway": ("gateway", None),
    "aig_attempts": ("gateway.max_attempts", int),
}


def settled(**values: Any) -> dict[str, Any]:
    return settle(values, known=KNOWN, aliases=ALIASES, moved=MOVED, owner="Thing")


def test_names_and_aliases_are_taken_in_silence():
    assert settled(account_id="a", api_key="t") == {"account_id": "a", "api_token": "t"}


def test_another_package_s_name_is_taken_with_a_note_that_names_ours():
    with pytest.warns(DeprecationWarning, match="Thing: ai_gateway= is now gateway="):
        assert settled(ai_gateway="g") == {"gateway": "g"}


def test_one_of_them_can_be_an_option_of_ours_and_its_value_be_made_ours():
    with pytest.warns(DeprecationWarning, match=r"aig_attempts= is now gateway=\{'max_attempts': \.\.\.\}"):
        assert settled(aig_attempts="3") == {"gateway.max_attempts": 3}


def test_the_dotted_name_is_no_argument():
    with pytest.raises(TypeError, match="knows no argument"):
        settled(**{"gateway.max_attempts": 3})


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"api_key": "t", "api_token": "t"}, "api_token is given twice"),
        ({"acount_id": "a"}, "did you mean account_id"),
        ({"api_kye": "a"}, "did you mean api_key"),
        ({"zzz": 1}, "knows no argument 'zzz'"),
        ({"zzz": 1}, "extra_body"),
    ],
)
def test_a_name_given_twice_or_unknown_is_a_type_error(values: dict[str, Any], words: str):
    with pytest.raises(TypeError, match=words):
        settled(**values)


def test_no_neighbour_is_made_up():
    assert "did you mean" not in unknown("zzz", known=KNOWN, owner="Thing")
    assert unknown("zzz", known=KNOWN, owner="Thing").startswith("Thing knows no argument 'zzz'")


def test_the_value_of_an_unknown_argument_is_not_shown():
    with pytest.raises(TypeError) as caught:
        settled(api_tokn="tok-Zx81")
    assert "tok-Zx81" not in str(caught.value)
