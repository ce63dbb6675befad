"""The cassettes replay with the network off, tell what they were recorded against, and hold no secret."""

from __future__ import annotations

import re
import shutil
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import hypothesis
import pytest
import vcr
import yaml
from hypothesis import strategies as st
from langchain_core.messages import HumanMessage, SystemMessage
from vcr.errors import CannotOverwriteExistingCassetteException

from langchain_workers_ai import ChatWorkersAI, WorkersAIEmbeddings
from workers_ai import Client
from workers_ai.local import LocalServer
from workers_ai.testing import cassettes

TESTS = Path(__file__).parent
FOLDERS = [TESTS / "cassettes", TESTS / "conformance" / "cassettes"]


with pytest.MonkeyPatch.context() as patch:  # the folder is no package
    patch.syspath_prepend(str(TESTS.parent / "scripts"))
    import cassette
    import record

EXCHANGES = record.EXCHANGES | record.STREAM_TIME
NAMES = sorted(EXCHANGES)

# Neither is the one that recorded: a cassette plays for any account.
ACCOUNT, TOKEN = "c0ffee" * 5 + "00", "another-token-altogether"


@pytest.fixture
def client() -> Client:
    return Client(account_id=ACCOUNT, api_token=TOKEN)


@pytest.fixture
def tape(request: pytest.FixtureRequest) -> Iterator[Any]:
    """The cassette that the test names by its parameter `name`; nothing can be added to it."""
    recorder = vcr.VCR(record_mode="none", **cassettes.vcr_config())
    with recorder.use_cassette(str(path(request.getfixturevalue("name")))) as played:
        yield played


def answer(name: str) -> Any:
    return cassette.Heading.read(text(name)).answer


def text(name: str) -> str:
    return path(name).read_text(encoding="utf-8")


def path(name: str) -> Path:
    return EXCHANGES[name].folder / f"{name}.yaml"


def test_there_is_a_cassette_for_each_exchange_and_no_other():
    """`make record` makes what is missing; what is left over was renamed."""
    assert sorted(found for folder in FOLDERS for found in folder.glob("*.yaml")) == sorted(map(path, NAMES))


@pytest.mark.block_network
@pytest.mark.parametrize("by_async", [False, True], ids=["sync", "async"])
@pytest.mark.parametrize("name", NAMES)
def test_a_replay_gives_what_was_recorded_and_opens_no_socket(name: str, by_async: bool, tape: Any, client: Client):
    """Both ways of sending go by vcrpy: with connections refused, one that slipped past it would fail."""
    assert EXCHANGES[name].run(client, by_async=by_async) == answer(name)
    assert tape.all_played


@pytest.mark.block_network
def test_the_network_is_off_in_these_tests(emulator: LocalServer):
    """So that the test above shows something: the port is open, and out of reach. asyncio connects as this does."""
    port = int(emulator.url.rpartition(":")[2])
    with socket.socket() as one, pytest.raises(RuntimeError, match="Network is disabled"):
        one.connect(("127.0.0.1", port))


@pytest.mark.parametrize("by_async", [False, True], ids=["sync", "async"])
@pytest.mark.parametrize("name", ["chat-native-llama", "stream-openai-gemma", "embed-bge-m3"])
def test_what_a_cassette_does_not_hold_is_not_sent(name: str, by_async: bool, emulator: LocalServer):
    """Not even where somebody would answer: an empty tape refuses, and no request arrives."""
    asked = Client(account_id=emulator.account_id, api_token=emulator.api_token, base_url=emulator.base_url)
    before = len(emulator.requests)
    with (
        vcr.VCR(record_mode="none", **cassettes.vcr_config()).use_cassette("none.yaml"),
        pytest.raises(CannotOverwriteExistingCassetteException),
    ):
        EXCHANGES[name].run(asked, by_async=by_async)
    assert len(emulator.requests) == before


@pytest.mark.block_network
@pytest.mark.parametrize("name", ["chat-native-llama", "chat-openai-gemma", "stream-native-llama"])
def test_langchains_class_asks_the_same_and_gives_the_same(name: str, tape: Any):
    """One cassette serves the core and the adapters: they send the same bytes."""
    kind, api, model = name.split("-", 2)
    models = {"llama": record.LLAMA, "gemma": record.GEMMA}
    asked = ChatWorkersAI(
        model=models[model], api=api, max_tokens=record.MAX_TOKENS, account_id=ACCOUNT, api_token=TOKEN
    )
    system, question = (message["content"] for message in record.MESSAGES)
    messages = [SystemMessage(system), HumanMessage(question)]
    told = asked.invoke(messages) if kind == "chat" else sum_of(asked.stream(messages))
    stated = answer(name)
    assert told.text == stated["text"]
    assert told.usage_metadata["input_tokens"] == stated["usage"]["input_tokens"]
    assert told.usage_metadata["output_tokens"] == stated["usage"]["output_tokens"]
    assert told.response_metadata["finish_reason"] == stated["finish_reason"]


@pytest.mark.block_network
@pytest.mark.parametrize("name", ["embed-bge-m3"])
def test_langchains_embeddings_ask_the_same_and_give_the_same(name: str, tape: Any):
    """As the chats."""
    asked = WorkersAIEmbeddings(model=record.BGE_M3, account_id=ACCOUNT, api_token=TOKEN)
    (vector,) = asked.embed_documents(record.TEXTS)
    (stated,) = answer(name)["vectors"]
    assert (len(vector), vector[:4]) == (stated["dimensions"], stated["begins"])


@pytest.mark.parametrize("name", NAMES)
def test_each_says_what_it_was_recorded_against_and_when(name: str):
    """An emulator's cassette is not to be taken for the service's: it also shows the emulator's header."""
    heading = cassette.Heading.read(text(name))
    assert heading.recorded_against in (cassette.EMULATOR, cassette.CLOUDFLARE)
    assert re.fullmatch(r"20\d\d-\d\d-\d\d", heading.recorded_on)
    for interaction in yaml.safe_load(text(name))["interactions"]:
        marked = "x-workers-ai-emulator" in interaction["response"]["headers"]
        assert marked == (heading.recorded_against == cassette.EMULATOR)


@pytest.mark.parametrize("name", NAMES)
def test_none_holds_a_secret_or_an_account(name: str):
    """No token, no cookie, no account but the one of zeros, no address but Cloudflare's."""
    held = text(name)
    assert not re.search(r"bearer |authorization|cookie|local-emulator-token", held, re.IGNORECASE)
    assert set(re.findall(r"/accounts/([^/\s]*)", held)) <= {cassettes.NO_ACCOUNT}
    for interaction in yaml.safe_load(held)["interactions"]:
        assert interaction["request"]["uri"].startswith("https://api.cloudflare.com/client/v4/accounts/")
        assert interaction["request"]["headers"].keys() <= cassettes.KEPT_REQUEST_HEADERS
        assert interaction["response"]["headers"].keys() <= cassettes.KEPT_RESPONSE_HEADERS | cassettes.IDS.keys()


@pytest.mark.parametrize("name", [name for name in NAMES if name.startswith("stream-")])
def test_a_stream_can_be_read_in_its_file(name: str):
    """Each frame stands on a line of its own, not folded into one long quoted text."""
    lines = {line.strip() for line in text(name).splitlines()}
    bodies = [interaction["response"]["body"]["string"] for interaction in yaml.safe_load(text(name))["interactions"]]
    assert {line for body in bodies if "\n" in body for line in body.split("\n")} <= lines


@hypothesis.given(st.text(st.characters(exclude_categories=["Cs"]) | st.sampled_from("\r\n\t\x85\u2028\u2029: #")))
def test_any_text_comes_back_from_a_cassette_as_it_was(body: str):
    """Line ends of every kind, spaces at either end, what YAML takes for a sign: a stream replays byte for byte."""
    tape = {"version": 1, "interactions": [{"response": {"body": {"string": body}}}]}
    written = cassette.text_of(cassette.Heading("emulator", "2026-11-24", {}), tape)
    assert written.isascii()
    assert yaml.safe_load(written)["interactions"][0]["response"]["body"]["string"] == body


@pytest.mark.parametrize("name", ["chat-openai-gpt-oss", "stream-native-gemma", "embed-qwen3", "error-no-such-model"])
def test_recording_anew_on_the_emulator_gives_an_equivalent_cassette(name: str, tmp_path: Path):
    """The same addresses, bodies and answers; only ids, times and padding are drawn anew."""
    record.main(["--emulator", "--only", name, "--into", str(tmp_path)])
    made = (tmp_path / f"{name}.yaml").read_text()
    assert cassette.Heading.read(made).recorded_against == cassette.EMULATOR
    if cassette.Heading.read(text(name)).recorded_against == cassette.EMULATOR:
        assert cassette.gist(made) == cassette.gist(text(name))


def test_a_cassette_that_was_deleted_is_made_again_and_no_other(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    """What `make record` does without an account: the others say the same as before, and stay as they are."""
    for name in NAMES:
        shutil.copy(path(name), tmp_path)
    deleted = tmp_path / "stream-openai-llama.yaml"
    deleted.unlink()
    record.main(["--emulator", "--into", str(tmp_path)])
    said = dict(line.strip().split(": ", 1) for line in capsys.readouterr().out.splitlines()[1:])
    assert said.pop("stream-openai-llama") == "recorded"
    assert {word.partition(":")[0] for word in said.values()} <= {"unchanged", "kept"}
    assert cassette.gist(deleted.read_text()) == cassette.gist(text(deleted.stem))


class TestKeeping:
    """Which recording stays."""

    def cassette(self, against: str, body: str = "a", day: str = "2026-11-24") -> str:
        tape = {"version": 1, "interactions": [{"response": {"body": {"string": body}}}]}
        return cassette.text_of(cassette.Heading(against, day, {"text": "a"}), tape)

    def test_an_emulators_does_not_replace_cloudflares(self, tmp_path: Path):
        """Unless it is told to."""
        path = tmp_path / "one.yaml"
        path.write_text(self.cassette(cassette.CLOUDFLARE))
        assert record.keep(path, self.cassette(cassette.EMULATOR, "b")).startswith("kept")
        assert cassette.Heading.read(path.read_text()).recorded_against == cassette.CLOUDFLARE
        assert record.keep(path, self.cassette(cassette.EMULATOR, "b"), force=True) == "recorded"
        assert cassette.Heading.read(path.read_text()).recorded_against == cassette.EMULATOR

    def test_cloudflares_replaces_an_emulators(self, tmp_path: Path):
        """The service is the better witness."""
        path = tmp_path / "one.yaml"
        path.write_text(self.cassette(cassette.EMULATOR))
        assert record.keep(path, self.cassette(cassette.CLOUDFLARE)) == "recorded"
        assert cassette.Heading.read(path.read_text()).recorded_against == cassette.CLOUDFLARE

    def test_one_that_repeats_the_old_one_changes_nothing(self, tmp_path: Path):
        """No noise in the next commit: another day, another id and another padding are no news."""
        path = tmp_path / "one.yaml"
        first = self.cassette(cassette.EMULATOR, 'data: {"id": "1", "text": "a"}\n\n')
        again = self.cassette(cassette.EMULATOR, 'data: {"id": "2", "text": "a", "p": "xyz"}\n\n', "2026-12-01")
        other = self.cassette(cassette.EMULATOR, 'data: {"id": "1", "text": "b"}\n\n')
        assert record.keep(path, first) == "recorded"
        assert record.keep(path, again) == "unchanged"
        assert path.read_text() == first
        assert record.keep(path, other) == "recorded"
        assert path.read_text() == other


@pytest.mark.parametrize(
    ("variables", "real"),
    [
        ({}, False),
        ({"CLOUDFLARE_ACCOUNT_ID": ACCOUNT}, False),
        ({"CLOUDFLARE_ACCOUNT_ID": ACCOUNT, "CLOUDFLARE_API_TOKEN": TOKEN}, True),
        (
            {
                "CLOUDFLARE_ACCOUNT_ID": ACCOUNT,
                "CLOUDFLARE_API_TOKEN": TOKEN,
                "CLOUDFLARE_BASE_URL": "http://127.0.0.1:8787/client/v4",
            },
            False,
        ),
    ],
)
def test_cloudflare_is_recorded_only_with_an_account_and_its_own_address(
    variables: dict[str, str], real: bool, monkeypatch: pytest.MonkeyPatch
):
    """The variables of `workers-ai serve` lead to an emulator: what it answers is not Cloudflare's."""
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert record.has_account() is real


def sum_of(chunks: Iterator[Any]) -> Any:
    total = next(chunks)
    for chunk in chunks:
        total += chunk
    return total
