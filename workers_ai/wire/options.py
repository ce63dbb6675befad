"""Options of a chat: which the service knows, and which a form cannot take."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

NULL_MEANS_SOMETHING = frozenset({"reasoning_effort"})
"""Options whose None is sent: it switches reasoning off (quirk 58). An option that is not to be sent is left out."""

NOT_SENT = "default"
"""The value of `reasoning_effort` that leaves it to the model: None itself means "off" (quirk 58)."""

OPTIONS = frozenset(
    {
        "temperature",
        "max_tokens",
        "top_p",
        "top_k",
        "seed",
        "stop",
        "repetition_penalty",
        "frequency_penalty",
        "presence_penalty",
        "n",
        "logprobs",
        "top_logprobs",
        "logit_bias",
        "lora",
        "raw",
        "reasoning_effort",
        "chat_template_kwargs",
        "response_format",
    }
)
"""Names that go into a request body as they are. Only what the user set is sent (quirk 52)."""


def given(options: Mapping[str, Any]) -> dict[str, Any]:
    """The options to send: None means "not sent", but for those of which it means something.

    So does NOT_SENT as a `reasoning_effort`.
    """
    told = {name: value for name, value in options.items() if value is not None or name in NULL_MEANS_SOMETHING}
    if told.get("reasoning_effort") == NOT_SENT:
        del told["reasoning_effort"]
    return told
