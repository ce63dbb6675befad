"""Odd behaviour on demand: `x-emulator-quirk: name, name` on a chat request makes the answer show that quirk.

Each has been seen or reported of the service or of a server behind it (numbers as in the wire observations); none
comes by itself, so that ordinary tests see the ordinary form.

Streamed calls:
    index-zero           every piece has index 0; only the ids tell the calls apart
    names-late           the name comes in the last piece of its call, after all arguments (36)
    names-repeated       id, type and name stand in every piece
    no-ids               no ids, whole or streamed
    interleaved          the pieces of several calls take turns: index 0, 1, 0, 1
    null-sentinel        a piece with id, type and name null closes each call (35)
    two-per-delta        the pieces of all calls side by side, one of each in a delta
    whole-calls          each call in one piece, id, name and arguments together (37)
    repeated-frame       the frame with the whole flat call comes twice (37; native classic streams)

Calls in any answer:
    leak-forced-call     a call that was forced comes as JSON text `{"name", "arguments"}`: no calls, "stop" (39)
    leak-forced-call-flat  the same with the arguments beside the name, as recorded of gpt-oss-120b
    finish-stop          finish_reason "stop" beside calls (38)
    string-arguments     flat calls have their arguments as a JSON string (32)
    stringified-values   integers, lists and objects among the arguments are strings (40)
    invalid-arguments    the JSON of the arguments breaks off
    text-before-calls    a sentence before the calls
    reasoning-last       text, then calls, then the reasoning

Else:
    reasoning-key        reasoning under `reasoning`, not `reasoning_content` (29)
    json-unmet           JSON mode fails: "JSON Mode couldn't be met" in a 200 with success false (55)
    refusal              the model declines: `refusal` holds the text, content is null
    object-history       arguments in the history must be objects, not strings (46)
    no-tool-parser       the model's server was started without a parser for tools (44)
    strict-tools         the documented schema to the letter: descriptions everywhere (http-api 2.1; classic models)
"""

from collections.abc import Mapping

from . import errors

HEADER = "x-emulator-quirk"
KNOWN = frozenset(
    """index-zero names-late names-repeated no-ids interleaved null-sentinel two-per-delta whole-calls repeated-frame
    leak-forced-call leak-forced-call-flat finish-stop string-arguments stringified-values invalid-arguments
    text-before-calls reasoning-last reasoning-key json-unmet refusal object-history no-tool-parser
    strict-tools""".split()
)


def read(headers: Mapping[str, str]) -> frozenset[str]:
    """The quirks that a request asks for. Raises `ServiceError` (400) naming those that exist, for a slip."""
    asked = frozenset(filter(None, (name.strip() for name in headers.get(HEADER, "").split(","))))
    if unknown := asked - KNOWN:
        names = ", ".join(sorted(KNOWN))
        raise errors.bad_input(f"{HEADER}: the emulator knows no {', '.join(sorted(unknown))}; known: {names}")
    return asked
