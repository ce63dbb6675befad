"""The default for an id that the catalogue does not hold."""

from __future__ import annotations

from .info import Api, ModelInfo


def unknown(model: str) -> ModelInfo:
    """What to assume of an id never seen: a chat model of the manners its form suggests, nothing else known.

    On the OpenAI form `stop`, `n` and lists of content parts are ordinary; on the native one the classic
    models refuse or ignore them, so they count as not taken. No limit, price or capability is guessed.
    """
    api = api_of(model)
    openai = api == "openai"
    return ModelInfo(
        id=model,
        known=False,
        task="Unknown",
        status="unknown",
        api=api,
        takes_messages=True,
        takes_prompt=not openai,
        takes_content_parts=openai,
        takes_stop=openai,
        takes_n=openai,
        takes_stream=True,
    )


def api_of(model: str) -> Api:
    """`dynamic/route`, `cloudflare/auto` and `author/model` speak the OpenAI form, all else the native."""
    return "openai" if "/" in model and not model.startswith("@") else "native"
