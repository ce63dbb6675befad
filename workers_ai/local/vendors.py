"""Other vendors' models behind the gateway: paid from the account's credits, or with a key that the gateway stores."""

from .families import VENDOR_MODELS

_SPELLINGS = {"google-ai-studio": "google"}  # the compat endpoint's


def known(model: str) -> str | None:
    """The id of a vendor's model, in either endpoint's spelling; None if it is none."""
    vendor, _, name = model.partition("/")
    plain = f"{_SPELLINGS.get(vendor, vendor)}/{name}"
    return plain if plain in VENDOR_MODELS else None


def vendor_of(model: str) -> str:
    """Who makes a model: `workers-ai` for Cloudflare's own."""
    return "workers-ai" if model.startswith("@") else model.partition("/")[0]
