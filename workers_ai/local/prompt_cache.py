"""The prompt cache: what of a prompt was computed before, by the same instance (http-api 7.2).

An instance is named by the header `x-session-affinity`; without it every prompt is new. The cache holds exact
prefixes in whole blocks, so a short prompt never hits, and the last token is always computed.
"""

from collections import OrderedDict, deque

from . import tokens

HEADER = "x-session-affinity"
BLOCK = 16
_MAX_SESSIONS = 1_000
_MAX_PROMPTS = 8


class PromptCache:
    """The last prompts of each instance and model."""

    def __init__(self) -> None:
        self._prompts: OrderedDict[tuple[str, str], deque[str]] = OrderedDict()

    def look_up(self, session: str | None, model: str, prompt: str, *, prompt_tokens: int) -> int:
        """How many tokens of `prompt` are cached; from now on all of it is."""
        if not session:
            return 0
        known = self._prompts.setdefault((session, model), deque(maxlen=_MAX_PROMPTS))
        self._prompts.move_to_end((session, model))
        shared = max((_common(prompt, other) for other in known), key=len, default="")
        known.append(prompt)
        while len(self._prompts) > _MAX_SESSIONS:
            self._prompts.popitem(last=False)
        # The template's tokens between the messages are no text; they are shared where the messages are.
        share = tokens.count(shared) / max(tokens.count(prompt), 1)
        return int(share * (prompt_tokens - 1)) // BLOCK * BLOCK


def _common(one: str, other: str) -> str:
    """The longest text that both begin with."""
    differs = (at for at, (a, b) in enumerate(zip(one, other, strict=False)) if a != b)
    return one[: next(differs, min(len(one), len(other)))]
