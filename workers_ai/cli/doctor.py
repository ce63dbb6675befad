"""`workers-ai doctor`: looks at everything that a call needs, and says of each what to do about it."""

from __future__ import annotations

import datetime
import json
import os
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar

from workers_ai.catalog import ModelInfo, lookup
from workers_ai.cli import model_health, network
from workers_ai.cli.failure import one_line
from workers_ai.cli.finding import Finding, State
from workers_ai.cli.printing import Printer
from workers_ai.client import Client
from workers_ai.embedding_fields import DEFAULT_EMBEDDING_MODEL
from workers_ai.errors import (
    APIConnectionError,
    APITimeoutError,
    AuthenticationError,
    PermissionDeniedError,
    WorkersAIError,
)
from workers_ai.exchange import Exchange
from workers_ai.gateway import Gateway, gateway_from_environment
from workers_ai.settings import (
    ACCOUNT_VARIABLES,
    TOKEN_VARIABLES,
    account_from_environment,
    base_url_from_environment,
    check_account_id,
    missing_credentials,
    token_from_environment,
)
from workers_ai.tasks import access
from workers_ai.text_fields import DEFAULT_MODEL

Answer = TypeVar("Answer")

PERMISSIONS = "Workers AI Read and Workers AI Edit"
_MAKE_A_TOKEN = f"make one with {PERMISSIONS} at dash.cloudflare.com > My Profile > API Tokens, and set it again"
_PATIENCE = 60.0  # seconds for an answer


@dataclass(slots=True)
class Doctor:
    """One examination. models: named by the caller. through: a gateway's id in place of the environment's.

    calls: make one small chat and one embedding, which are billed (well below 1 neuron).
    """

    models: Sequence[str] = ()
    through: str | None = None
    calls: bool = True
    listing: dict[str, ModelInfo] | None = None
    _client: Client | None = field(default=None, init=False)

    def examine(self) -> Iterator[Finding]:
        """Everything, in the order in which one thing rests on another; what cannot be reached is not asked again."""
        first = [self._account(), self._token(), *self._settings()]
        yield from first
        if any(finding.state is State.WRONG for finding in first):
            yield Finding.unchecked("network", "what is above comes first")
            yield from self._offline("what is above comes first")
            return
        token = self._verified()
        if isinstance(token, (APIConnectionError, APITimeoutError)):
            yield network.unreached(base_url_from_environment(), token)
            yield from self._offline("no network")
            return
        yield Finding.ok("network", network.route(base_url_from_environment()))
        listing = self._listed()
        if isinstance(token, WorkersAIError) and listing.state is State.WRONG:
            yield self._verdict(token)
            yield from self._offline("the token comes first")
            return
        # A token that works is good, whatever the API says when it is asked about it.
        yield Finding.ok("token", "it works") if isinstance(token, WorkersAIError) else self._verdict(token)
        yield listing
        if listing.state is State.WRONG:
            yield from self._offline("what is above comes first", permissions=False)
            return
        gateway = (
            [] if self._client is None or self._client.gateway is None else [self._of_gateway(self._client.gateway)]
        )
        yield from gateway
        yield from self._models()
        if any(finding.state is State.WRONG for finding in gateway):
            yield from self._uncalled("the gateway comes first")
            return
        yield from self._called()

    def _account(self) -> Finding:
        found = account_from_environment()
        if found is None:
            return Finding.wrong("account", "no id is set", f"set {ACCOUNT_VARIABLES[0]}: dash.cloudflare.com/<id>")
        if not _is_account(found):
            return Finding.wrong(
                "account",
                f"what {_variable(ACCOUNT_VARIABLES)} holds is no account id",
                "copy the 32 hex digits of the dashboard's address, dash.cloudflare.com/<id>",
            )
        return Finding.ok("account", f"{found[:4]}…{found[-4:]}, of {_variable(ACCOUNT_VARIABLES)}")

    def _token(self) -> Finding:
        found = token_from_environment()
        if found is None:
            told = missing_credentials(account=False, token=True)
            passed_over = " (CLOUDFLARE_API_KEY is the global key here)" if "passed over" in (told.hint or "") else ""
            return Finding.wrong(
                "token", f"none is set{passed_over}", f"{_MAKE_A_TOKEN.removesuffix(' again')} as {TOKEN_VARIABLES[0]}"
            )
        text = found.get_secret_value()
        if not text.isascii() or any(character.isspace() for character in text):
            return Finding.wrong("token", "it holds a space or a letter that no token has", "copy it again")
        return Finding.ok("token", f"set, of {_variable(TOKEN_VARIABLES)}, {len(text)} characters (not shown)")

    def _settings(self) -> list[Finding]:
        """Makes the client; what is wrong with the address or the gateway's name, if anything is."""
        try:
            gateway = Gateway.coerce(self.through) or gateway_from_environment()
            self._client = Client(gateway=gateway, max_retries=0, timeout=_PATIENCE)
        except ValueError as error:  # pydantic's ValidationError is one
            if not _is_account(account_from_environment() or "0" * 32):
                return []  # told already
            return [Finding.wrong("settings", one_line(error), "set it right, or unset it")]
        return []

    def _offline(self, why: str, *, permissions: bool = True) -> Iterator[Finding]:
        """What is left: only the catalogue can be asked."""
        if permissions:
            yield Finding.unchecked("permissions", why)
        if self._client is not None and self._client.gateway is not None:
            yield Finding.unchecked(f"gateway {self._client.gateway.id}", why)
        yield from self._models()
        yield from self._uncalled(why)

    def _verified(self) -> access.TokenStatus | WorkersAIError:
        """What the API says of the token: a user's is known in one place, an account's own in another."""
        found = self._ask(access.user_token)
        if isinstance(found, WorkersAIError) and found.status is not None:
            other = self._ask(access.account_token)
            return found if isinstance(other, WorkersAIError) else other
        return found

    def _verdict(self, found: access.TokenStatus | WorkersAIError) -> Finding:
        if isinstance(found, WorkersAIError):
            if found.status not in (400, 401, 403):
                return Finding.wrong("token", f"it cannot be verified ({_told(found)})", "try again later")
            return Finding.wrong("token", f"Cloudflare does not know it ({_told(found)})", _MAKE_A_TOKEN)
        if found.status != "active":
            return Finding.wrong("token", f"it is {found.status}", f"roll or renew it, or {_MAKE_A_TOKEN}")
        until = f", until {found.expires_on}" if found.expires_on else ""
        return Finding.ok("token", f"active{until}")

    def _listed(self) -> Finding:
        """Whether the token may read the account's models: so both are seen to fit each other."""
        assert self._client is not None
        try:
            models = self._client.models.list()
        except WorkersAIError as error:
            if error.code == 7003 or error.status == 404:
                return Finding.wrong(
                    "account",
                    f"Cloudflare knows no such account for this token ({_told(error)})",
                    f"set {ACCOUNT_VARIABLES[0]} to the account in which the token was made",
                )
            if isinstance(error, (AuthenticationError, PermissionDeniedError)):
                return Finding.wrong(
                    "permissions",
                    f"the token may not use Workers AI in this account ({_told(error)})",
                    f"give it {PERMISSIONS} for this account, or set the account that it is for",
                )
            return Finding.wrong("permissions", f"the models cannot be listed ({_told(error)})", _hint(error))
        self.listing = {model.id: model.info for model in models}
        return Finding.ok("permissions", f"Workers AI Read ({len(models)} models listed); Edit: see the calls")

    def _gateway(self) -> list[Finding]:
        """Of the gateway that calls would pass, if there is one."""
        gateway = self._client.gateway if self._client is not None else None
        return [] if gateway is None else [self._of_gateway(gateway)]

    def _of_gateway(self, gateway: Gateway) -> Finding:
        subject = f"gateway {gateway.id}"
        found = self._ask(lambda: access.gateway_settings(gateway.id))
        if isinstance(found, WorkersAIError):
            if found.status == 404:
                if gateway.id == "default":
                    return Finding.ok(subject, "not there yet: Cloudflare makes it at the first call")
                return Finding.wrong(
                    subject,
                    "there is none of this name in the account",
                    "make it under AI > AI Gateway, or name another",
                )
            if isinstance(found, (AuthenticationError, PermissionDeniedError)):
                return Finding.ok(subject, "not readable: the token lacks AI Gateway Read, which calls do not need")
            return Finding.wrong(subject, f"its settings cannot be read ({_told(found)})", _hint(found))
        if found.authentication and gateway.route == "url" and gateway.secret_token() is None:
            return Finding.wrong(
                subject,
                "it wants authentication, and has no token of its own",
                "set CLOUDFLARE_GATEWAY_TOKEN (AI Gateway Run), or use route='header'",
            )
        wants = "it wants authentication: route='header' sends the account's token" if found.authentication else "open"
        return Finding.ok(subject, wants)

    def _models(self) -> Iterator[Finding]:
        today = datetime.datetime.now(datetime.UTC).date()
        named = {**model_health.in_environment(), **dict.fromkeys(self.models, "")}
        for model in (DEFAULT_MODEL, DEFAULT_EMBEDDING_MODEL):
            named.setdefault(model, "the default")
        for model, origin in named.items():
            yield model_health.judge(model, today=today, listing=self.listing, origin=origin)

    def _called(self) -> Iterator[Finding]:
        """One real call of each kind, with the first model named for it that is in service."""
        if not self.calls:
            yield from self._uncalled("left out: --no-calls")
            return
        yield self._chat(self._first("Text Generation", DEFAULT_MODEL))
        yield self._embedding(self._first("Text Embeddings", DEFAULT_EMBEDDING_MODEL))

    def _uncalled(self, why: str) -> Iterator[Finding]:
        yield Finding.unchecked("chat", why)
        yield Finding.unchecked("embedding", why)

    def _chat(self, model: str) -> Finding:
        assert self._client is not None
        try:
            with _quietly():
                facts = self._client.chat("Reply with one word: ok", model=model, max_tokens=64).facts
        except WorkersAIError as error:
            return Finding.wrong("chat", f"{model}: {_told(error)}", _hint(error))
        cost = f", {facts.cost.neurons:.3f} neurons" if facts.cost is not None else ""
        log = f", log id {facts.gateway['log_id']}" if "log_id" in facts.gateway else ""
        return Finding.ok("chat", f"{facts.answering_model} answers{cost}{log}")

    def _embedding(self, model: str) -> Finding:
        assert self._client is not None
        try:
            with _quietly():
                (vector,) = self._client.embed(["ok"], model=model)
        except WorkersAIError as error:
            return Finding.wrong("embedding", f"{model}: {_told(error)}", _hint(error))
        return Finding.ok("embedding", f"{model} gives {len(vector):,} dimensions")

    def _first(self, task: str, default: str) -> str:
        today = datetime.datetime.now(datetime.UTC).date()
        for model in (*self.models, *model_health.in_environment()):
            judged = model_health.judge(model, today=today, listing=self.listing)
            info = (self.listing or {}).get(model) or lookup(model)
            if judged.state is State.OK and info.task == task:
                return model
        return default

    def _ask(self, exchange: Callable[[], Exchange[Answer, Any]]) -> Answer | WorkersAIError:
        assert self._client is not None
        try:
            return self._client._transport.send(exchange())
        except WorkersAIError as error:
            return error


@contextmanager
def _quietly() -> Iterator[None]:
    """No warnings: the lines tell of the models, and that a thinking model's answer was cut does not matter."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _variable(names: Sequence[str]) -> str:
    """The variable that is read: the first that is set."""
    return next((name for name in names if os.environ.get(name, "").strip()), names[0])


def _is_account(value: str) -> bool:
    try:
        check_account_id(value)
    except ValueError:
        return False
    return True


def _told(error: WorkersAIError) -> str:
    """The service's words and numbers, without the hint and the model, which stand elsewhere in the line."""
    facts = (("code", error.code), ("HTTP", error.status), ("request id", error.request_id))
    numbers = ", ".join(f"{name} {value}" for name, value in facts if value is not None)
    message = error.message.rstrip(". ")
    return f"{message}, {numbers}" if numbers else message


def _hint(error: WorkersAIError) -> str:
    return (error.hint or "try again later; the request id helps Cloudflare's support").rstrip(". ")


def run(doctor: Doctor, *, as_json: bool, printer: Printer | None = None) -> int:
    """Shows what is found as it is found; the exit code: 0 where all is well, 1 otherwise."""
    found = []
    printer = printer or Printer()
    for finding in doctor.examine():
        found.append(finding)
        if not as_json:
            printer.finding(finding)
    wrong = sum(finding.state is State.WRONG for finding in found)
    if as_json:
        print(json.dumps({"ok": not wrong, "findings": [finding.as_json() for finding in found]}, indent=2))
    else:
        printer.line("All is well." if not wrong else f"{wrong} to do.", style="bold")
    return 1 if wrong else 0
