"""Identifiers in the forms that the service gives out."""

import random
import secrets
import string
import time
import uuid
from typing import Literal

_PADDING = string.ascii_lowercase + string.digits


def uuid7() -> str:
    """A lowercase UUIDv7, the form of the gateway's ids since October 2026 (http-api 10.4)."""
    milliseconds = time.time_ns() // 1_000_000
    value = (milliseconds << 80) | (0x7 << 76) | (secrets.randbits(12) << 64) | (0b10 << 62) | secrets.randbits(62)
    return str(uuid.UUID(int=value))


def request_id() -> str:
    """The value of `cf-ai-req-id`."""
    return str(uuid.uuid4())


def ray_id() -> str:
    """The value of `cf-ray`: 16 hex digits and a made-up data centre."""
    return f"{secrets.token_hex(8)}-LOC"


def routed_id() -> str:
    """`id-<ms>`: what the service's router puts on answers of `/ai/v1` (quirk 10)."""
    return f"id-{time.time_ns() // 1_000_000}"


def hex_id() -> str:
    """32 hex digits: the id of a 2026 model's own server (quirk 10)."""
    return secrets.token_hex(16)


def chat_completion_id() -> str:
    """`chatcmpl-<32 hex>`: the id of a vLLM server (quirk 10)."""
    return f"chatcmpl-{secrets.token_hex(16)}"


def tool_call_id(form: Literal["vllm", "kimi"], name: str, index: int) -> str:
    """`chatcmpl-tool-<32 hex>`; kimi counts its calls by name, anew in each turn, so its ids repeat (quirk 33)."""
    return f"functions.{name}:{index}" if form == "kimi" else f"chatcmpl-tool-{secrets.token_hex(16)}"


def padding() -> str:
    """The `p` of newer frames: 5 to 44 random characters that hide the length of the token (quirk 20)."""
    return "".join(random.choices(_PADDING, k=random.randint(5, 44)))


def old_padding() -> str:
    """The `p` of older frames: a prefix of the alphabet and the digits, over and over (quirk 20)."""
    return (_PADDING * 2)[: random.randint(1, 48)]
