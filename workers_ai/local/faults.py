"""The faults that have a name: `LocalServer(faults=...)`, `WORKERS_AI_FAULTS` and `x-emulator-fault` take them.

`NAMES` tells each in a line. Some take a number: `429=2`, `cut=3`. Each is as the service, or what stands before it,
does it (numbers as in the wire observations); none comes by itself. A fault that finds nothing to spoil, as wrong
vectors in a chat, lets the answer pass.
"""

from __future__ import annotations

import gzip
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from email.utils import formatdate

from . import errors, fault_results, fault_usage, refusals
from .errors import ServiceError
from .fault import Answer, Data, Fault, HangUp, Head, Play, Refuse, Reset, Step, Wait, answered
from .reply import encode, in_envelope

_JSON = {"content-type": "application/json"}
_HTML = {"content-type": "text/html; charset=UTF-8"}
_FELL_OVER = refusals.of(3043)
_BUSY = refusals.of(3040)


def refusal(refused: ServiceError, *, headers: Mapping[str, str] | None = None) -> Play:
    """Refuses in place of an answer. refused: of `errors`, which has each of the service's envelopes."""
    return lambda _: answered(refused.status, {**_JSON, **(headers or {})}, encode(refused.body))


def page(status: int, title: str) -> Play:
    """A page of HTML, as a proxy before the service answers (quirk 85)."""
    body = f"<!DOCTYPE html>\n<html><head><title>{title}</title></head><body><h1>{title}</h1></body></html>\n"
    return lambda _: answered(status, _HTML, body.encode())


def _with_retry_after(refused: ServiceError) -> Callable[[float | None], Play]:
    def make(seconds: float | None) -> Play:
        return refusal(refused, headers={} if seconds is None else {"retry-after": f"{seconds:g}"})

    return make


def _retry_after_a_date(seconds: float | None) -> Play:
    def play(answer: Answer) -> Iterable[Step]:
        date = formatdate(time.time() + (1 if seconds is None else seconds), usegmt=True)
        return refusal(_slow_down(429), headers={"retry-after": date})(answer)

    return play


def _slow_down(status: int) -> ServiceError:
    return ServiceError(status, {"errors": [{"message": "Slow down"}], "success": False, "result": {}, "messages": []})


def _any_status(number: float | None) -> Play:
    status = int(number or 500)
    if not 200 <= status <= 599:
        raise ValueError(f"fault 'status={status}': a status is 200 to 599")
    return refusal(ServiceError(status, {"errors": [], "success": False, "result": None, "messages": []}))


# Connections


def _reset(_: Answer) -> Iterable[Step]:
    return [Reset()]


def _hang_up(_: Answer) -> Iterable[Step]:
    return [HangUp()]


def _refuse(seconds: float | None) -> Play:
    return lambda _: [Refuse(0.2 if seconds is None else seconds)]


def _reset_behind_head(answer: Answer) -> Iterable[Step]:
    return [Head(answer.status, answer.headers), Reset()]


def _broken(last: Reset | HangUp) -> Play:
    """The head, promising the whole, half of the body, and `last`."""

    def play(answer: Answer) -> Iterable[Step]:
        return [Head(answer.status, answer.headers), *_data(_half(answer.pieces)), last]

    return play


def _cut(number: float | None, last: list[Step]) -> Play:
    """So many events (half of them if not told), and `last`: by default the end of a body that is whole."""

    def play(answer: Answer) -> Iterable[Step]:
        pieces = answer.pieces
        kept = pieces[: int(number)] if number is not None and answer.is_stream else _half(pieces)
        return [Head(answer.status, answer.unmeasured), *_data(kept), *last]

    return play


# Time


def _slow_start(seconds: float | None) -> Play:
    def play(answer: Answer) -> Iterable[Step]:
        return [Wait(0.2 if seconds is None else seconds), *answered(answer.status, answer.unmeasured, answer.body)]

    return play


def _slow_drip(seconds: float | None) -> Play:
    pause = Wait(0.05 if seconds is None else seconds)

    def play(answer: Answer) -> Iterable[Step]:
        yield Head(answer.status, answer.unmeasured)
        for piece in answer.pieces:
            yield Data(piece)
            yield pause

    return play


def _silence(_: Answer) -> Iterable[Step]:
    return [Wait()]


def _silence_inside(answer: Answer) -> Iterable[Step]:
    return [Head(answer.status, answer.unmeasured), *_data(_half(answer.pieces)), Wait()]


# Streams


def _error_frame(body: Mapping[str, object], number: float | None) -> Play:
    """An error behind so many events, the last of the stream (quirk 25); of a document it is the whole (quirk 55)."""

    def play(answer: Answer) -> Iterable[Step]:
        if not answer.is_stream:
            return answered(200, _JSON, encode({"result": {}, "messages": [], **body, "success": False}))
        events = answer.pieces[:-1][: int(number or 0)]
        frame = b"data: " + encode(body) + b"\n\n"
        return [Head(answer.status, answer.unmeasured), *_data([*events, frame])]

    return play


def _no_done(answer: Answer) -> Iterable[Step]:
    return _as_body(answer, answer.body.replace(b"data: [DONE]\n\n", b"") if answer.is_stream else answer.body)


def _unended(answer: Answer) -> Iterable[Step]:
    return _as_body(answer, answer.body.rstrip(b"\n") if answer.is_stream else answer.body)


def _split(number: float | None) -> Play:
    """Cut into pieces of so many bytes, each a chunk of its own: one client's read never holds two."""
    size = max(1, int(number or 1))

    def play(answer: Answer) -> Iterable[Step]:
        pieces = [answer.body[at : at + size] for at in range(0, len(answer.body), size)]
        return [Head(answer.status, answer.unmeasured), *_data(pieces)]

    return play


# Bodies


def _content_type(kind: str | None) -> Play:
    def play(answer: Answer) -> Iterable[Step]:
        kept = {name: value for name, value in answer.unmeasured.items() if name != "content-type"}
        return answered(answer.status, kept if kind is None else {**kept, "content-type": kind}, answer.body)

    return play


def _gzip(answer: Answer) -> Iterable[Step]:
    packed = gzip.compress(answer.body, mtime=0)
    return answered(answer.status, {**answer.unmeasured, "content-encoding": "gzip"}, packed)


def _gzip_in_name(answer: Answer) -> Iterable[Step]:
    return answered(answer.status, {**answer.unmeasured, "content-encoding": "gzip"}, answer.body)


def _body(body: bytes) -> Play:
    return lambda answer: _as_body(answer, body)


def _empty_result(answer: Answer) -> Iterable[Step]:
    return answered(200, _JSON, encode(in_envelope({})))


def _null_result(answer: Answer) -> Iterable[Step]:
    return answered(200, _JSON, encode(in_envelope(None)))


def _changed(change: Callable[[Answer], bytes]) -> Play:
    return lambda answer: _as_body(answer, change(answer) if answer.succeeded else answer.body)


def _as_body(answer: Answer, body: bytes) -> list[Step]:
    return answered(answer.status, answer.unmeasured, body)


def _half(pieces: list[bytes]) -> list[bytes]:
    return pieces[: len(pieces) // 2]


def _data(pieces: Iterable[bytes]) -> list[Step]:
    return [Data(piece) for piece in pieces]


@dataclass(frozen=True, slots=True)
class Named:
    """A fault with a name. told: what happens. number: what `=` says, None where it takes none."""

    told: str
    make: Callable[[float | None], Play]
    asks: bool = True
    number: str | None = None


def _fixed(told: str, play: Play, *, asks: bool = True) -> Named:
    return Named(told, lambda _: play, asks)


def _refusing(told: str, refused: ServiceError) -> Named:
    return Named(told, _with_retry_after(refused), asks=False, number="Retry-After in seconds")


NAMES: Mapping[str, Named] = {
    # Refusals
    "429": _refusing("429 without a code of its own (77)", _slow_down(429)),
    "429-date": Named("429, its Retry-After a date (default: in 1 s)", _retry_after_a_date, False, "seconds ahead"),
    "3040": _refusing("429: no capacity (77)", _BUSY),
    "3036": _refusing("429: the day's allocation is spent, as documented", refusals.of(3036)),
    "4006": _refusing("429: the same under the code it comes with (76)", refusals.of(4006)),
    "2003": _refusing("429: the gateway's own rate limit (95)", refusals.of(2003)),
    "3007": _refusing("408: the service gave up (86)", refusals.of(3007)),
    "500": _refusing("500: a failure inside, 3043", _FELL_OVER),
    "502": _fixed("502, an HTML page (85)", page(502, "502 Bad Gateway"), asks=False),
    "503": _refusing("503 without a body that says more", ServiceError(503, {"success": False})),
    "504": _refusing("504: what stands behind does not answer, 7009 (85)", refusals.of(7009)),
    "522": _fixed("522, an HTML page (85)", page(522, "example.test | 522: Connection timed out"), asks=False),
    "524": _fixed("524, an HTML page (85)", page(524, "example.test | 524: A timeout occurred"), asks=False),
    "1102": _fixed(
        "503, the HTML page of error 1102 (85)", page(503, "Error 1102: Worker exceeded resource limits"), asks=False
    ),
    "529": _refusing("529: inference failed, 5012 (101)", errors.native(529, 5012, "AiError: Inference failed")),
    "401": _fixed("401: the token is refused, 10000 (84)", refusal(refusals.of(10000)), asks=False),
    "status": Named("any status, without a code or a message (default 500)", _any_status, False, "status"),
    # Connections
    "refused": Named(
        "the port is closed for a while (default 0.2 s), every connection reset", _refuse, False, "seconds"
    ),
    "reset-before": _fixed("reset before any of the answer", _reset, asks=False),
    "close-before": _fixed("closed before any of the answer", _hang_up, asks=False),
    "reset-behind-head": _fixed("reset behind status and headers", _reset_behind_head),
    "reset-inside": _fixed("reset in the middle of the body", _broken(Reset())),
    "half-body": _fixed("closed in the middle of the body", _broken(HangUp())),
    # Time
    "slow-first-byte": Named("the answer begins late (default 0.2 s)", _slow_start, number="seconds"),
    "slow-drip": Named("a pause behind each event (default 0.05 s)", _slow_drip, number="seconds"),
    "silence": _fixed("no answer ever; the connection stays open", _silence, asks=False),
    "silence-inside": _fixed("nothing more from the middle of the body on", _silence_inside),
    # Streams; of a document, its two halves
    "cut": Named(
        "the body ends properly behind so many events (default: half of them)", lambda n: _cut(n, []), number="events"
    ),
    "cut-reset": Named("the same, and a reset", lambda n: _cut(n, [Reset()]), number="events"),
    "error-frame": Named(
        "an error (3043) behind so many events (default 0); of a document, in a 200 (25, 55)",
        lambda n: _error_frame({"errors": _FELL_OVER.body["errors"]}, n),
        number="events",
    ),
    "error-frame-busy": Named(
        "the same, no capacity (3040)", lambda n: _error_frame({"errors": _BUSY.body["errors"]}, n), number="events"
    ),
    "error-frame-openai": Named(
        "the same in OpenAI's form, without a code",
        lambda n: _error_frame({"error": {"message": "Internal server error"}}, n),
        number="events",
    ),
    "no-done": _fixed("a stream without [DONE] (24)", _no_done),
    "unended": _fixed("a stream without the newlines at its end (24)", _unended),
    "split": Named(
        "the body in pieces of so many bytes (default 1: cut at every position) (23)", _split, number="bytes"
    ),
    # Bodies
    "content-type-json": _fixed("called JSON, whatever it is", _content_type("application/json")),
    "content-type-html": _fixed("called HTML", _content_type("text/html")),
    "content-type-text": _fixed("called plain text", _content_type("text/plain")),
    "content-type-missing": _fixed("called nothing", _content_type(None)),
    "gzip": _fixed("compressed", _gzip),
    "gzip-in-name": _fixed("called compressed, and not", _gzip_in_name),
    "empty-body": _fixed("a success without a body", _body(b"")),
    "null-body": _fixed("a success that is `null`", _body(b"null")),
    "html-body": _fixed("a success that is a page of HTML", page(200, "Welcome"), asks=False),
    "empty-result": _fixed("a success with an empty result (3)", _empty_result),
    "null-result": _fixed("a success with the result null", _null_result),
    # Usage of a stream (16); all but the first of the chunks with `choices`
    "usage-missing": _fixed("no usage, of a document neither", _changed(fault_usage.missing)),
    "usage-null": _fixed("usage null", _changed(fault_usage.null)),
    "usage-then-zeros": _fixed("the total, then all zeros (16a)", _changed(fault_usage.then_zeros)),
    "usage-twice": _fixed("the total, twice (16b)", _changed(fault_usage.twice)),
    "usage-increments": _fixed(
        "an increment on each chunk, the total at the end (16c)", _changed(fault_usage.increments)
    ),
    "usage-increments-alone": _fixed("the increments and no total", _changed(fault_usage.increments_alone)),
    "usage-running": _fixed("the total so far on each chunk (16d)", _changed(fault_usage.running)),
    # Results of the other tasks
    "fewer-vectors": _fixed("the last vector is missing", _changed(fault_results.fewer_vectors)),
    "more-vectors": _fixed("the last vector comes twice", _changed(fault_results.more_vectors)),
    "no-vectors": _fixed("no vector at all", _changed(fault_results.no_vectors)),
    "short-vector": _fixed("the last vector has half its numbers", _changed(fault_results.short_vector)),
    "empty-ranking": _fixed("a ranking of nothing (69)", _changed(fault_results.empty_ranking)),
    "foreign-ranking": _fixed("a ranking of texts that were not sent", _changed(fault_results.foreign_ranking)),
}


def named(text: str) -> Fault | None:
    """The fault of a name, with its number if it has one: "3040", "429=2", "cut=3"; None for "ok", which lets pass.

    Raises ValueError for a name that is none, naming those that are.
    """
    text = text.strip()
    name, sign, told = text.partition("=")
    if text == "ok":
        return None
    if name not in NAMES:
        raise ValueError(f"there is no fault {name!r}; there are: ok, {', '.join(NAMES)}")
    found = NAMES[name]
    if sign and found.number is None:
        raise ValueError(f"fault {text!r}: {name} takes no number")
    return Fault(text, found.make(_number(text, told) if sign else None), found.asks)


def _number(text: str, told: str) -> float:
    try:
        number = float(told)
    except ValueError:
        number = -1
    if not 0 <= number < 1e6:
        raise ValueError(f"fault {text!r}: a number from 0 stands behind the =")
    return number
