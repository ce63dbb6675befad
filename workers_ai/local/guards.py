"""What a gateway can refuse before and behind the model: guardrails, data loss prevention."""

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Literal

from . import errors, ids
from .errors import ServiceError

Action = Literal["BLOCK", "FLAG"]
Check = Literal["REQUEST", "RESPONSE"]


@dataclass(frozen=True, slots=True)
class Guardrails:
    """Words stand for what the real classifier would call unsafe.

    prompt, answer: words that make a prompt, or an answer, unsafe. All of the prompt is read, the system text too.
    action: "FLAG" only notes it. scanner: "down", or without "credits": then nothing is read.
    """

    prompt: Collection[str] = ()
    answer: Collection[str] = ()
    action: Action = "BLOCK"
    scanner: Literal["up", "down", "credits"] = "up"

    def check_prompt(self, text: str, *, run_api: bool) -> None:
        """Raise `ServiceError` for a prompt that is not to pass. `run_api`: it came to `/ai/run` on the REST host."""
        if self.scanner == "credits":
            raise errors.gateway(402, 2021, "Insufficient AI Gateway credits")
        if self.scanner == "down" and self.action == "BLOCK":
            raise errors.gateway(503, 7013, "Guardrails are unavailable")
        if self._blocks(text, self.prompt):
            raise errors.gateway(
                *((422, 2017) if run_api else (424, 2016)), "Prompt blocked due to security configurations"
            )

    def check_answer(self, text: str, *, run_api: bool) -> None:
        """Raise `ServiceError` for an answer that is not to pass."""
        if self._blocks(text, self.answer):
            raise errors.gateway(422 if run_api else 424, 2017, "Response blocked due to security configurations")

    def _blocks(self, text: str, words: Collection[str]) -> bool:
        return self.action == "BLOCK" and self.scanner == "up" and _holds(text, words)


@dataclass(frozen=True, slots=True)
class DataLossPrevention:
    """Words stand for what the profiles would find. words: searched in request and answer."""

    words: Collection[str]
    action: Action = "BLOCK"

    def finds(self, text: str) -> bool:
        """Whether there is a finding."""
        return _holds(text, self.words)

    def refusal(self, check: Check) -> ServiceError:
        """What a finding is answered with when it blocks. Its HTTP status is not published; 400 stands for it."""
        code, what = (2029, "Request") if check == "REQUEST" else (2030, "Response")
        return errors.gateway(400, code, f"{what} content blocked due to DLP policy violations")

    def header(self, checks: Sequence[Check]) -> str:
        """The value of `cf-aig-dlp`, which stands on every answer with findings. checks: where they are."""
        findings = [
            {
                "profile": {"context": {}, "entry_ids": [ids.uuid7()], "profile_id": ids.uuid7()},
                "policy_ids": [ids.uuid7()],
                "check": check,
            }
            for check in checks
        ]
        return json.dumps({"findings": findings, "action": self.action}, separators=(",", ":"))


def _holds(text: str, words: Collection[str]) -> bool:
    lowered = text.lower()
    return any(word.lower() in lowered for word in words)
