"""What is secret, defined once."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from workers_ai.redaction import MASK, SECRET_HEADERS, reveal, scrub, visible_headers

SECRETS = st.lists(st.text(st.characters(codec="ascii", exclude_characters="*"), min_size=4, max_size=12), max_size=4)


@given(secrets=SECRETS, pieces=st.lists(st.text(max_size=6), max_size=6), picked=st.data())
def test_no_secret_is_left_in_a_scrubbed_text(secrets: list[str], pieces: list[str], picked: st.DataObject):
    text = "".join(picked.draw(st.permutations([*secrets, *pieces])))
    scrubbed = scrub(text, secrets)
    assert not any(secret in scrubbed for secret in secrets)


@given(text=st.text(max_size=40))
def test_a_text_without_secrets_stays_as_it_is(text: str):
    assert scrub(text, []) == text
    assert scrub(text, ["", "a", "abc"]) == text
    assert scrub(text, ["0123-not-in-it-4567"]) == text


def test_of_two_secrets_the_longer_is_masked_whole():
    assert scrub("key is abcd-efgh", ["abcd", "abcd-efgh"]) == f"key is {MASK}"
    assert scrub("key is abcd-efgh", ["abcd-efgh", "abcd"]) == f"key is {MASK}"


@pytest.mark.parametrize("name", sorted(SECRET_HEADERS))
def test_secret_headers_are_masked_in_any_spelling(name: str):
    assert visible_headers({name: "v", name.title(): "v", "x-other": "v"}) == {
        name: MASK,
        name.title(): MASK,
        "x-other": "v",
    }


@pytest.mark.parametrize("value", ["tok", SecretStr("tok")])
def test_the_one_place_that_sends_sees_the_text(value: SecretStr | str):
    assert reveal(value) == "tok"
