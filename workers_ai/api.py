"""The service's two ways of being asked, by name."""

from typing import Literal

Form = Literal["native", "openai"]
"""`/ai/run/{model}`, or the OpenAI-compatible `/ai/v1/...`."""

Api = Literal["auto", "native", "openai"]
"""A form, or "auto": the one that the catalogue names for the model."""
