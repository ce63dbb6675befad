"""Embedding models: what they accept, and vectors in each family's form."""

from collections.abc import Mapping, Sequence
from typing import Any

from . import errors, ranking, tokens
from .families import EmbeddingFamily, Price
from .reply import Reply, in_envelope, of_json
from .usage import Usage
from .validation import json_type
from .vectors import Vector, embed, normalise

# One text, and all texts of a call together (quirk 68).
_MAX_TEXT_TOKENS = 8_192
_MAX_CALL_TOKENS = 60_000
# What qwen3 puts before a query when the request gives no instruction; here it only has to be a text of its own.
_DEFAULT_INSTRUCTION = "Given a web search query, retrieve relevant passages that answer it"
# How far the instruction draws a query away from the same text as a document.
_INSTRUCTION_WEIGHT = 0.15


def native(model: str, family: EmbeddingFamily, price: Price, body: Mapping[str, Any]) -> Reply:
    """The answer of `/ai/run`. Raises `ServiceError` for a body the model refuses."""
    if family.scores and "query" in body:
        return ranking.native(model, price, body, score=ranking.mild)
    if family.scores and "contexts" in body and "text" not in body:
        return _of_contexts(model, family, price, body)
    queries, documents = _inputs(family, body)
    texts = _checked([*queries, *documents], body)
    space = _space(model, family, body)
    vectors = [_of_query(q, family, space, body) for q in texts[: len(queries)]]
    vectors += [embed(text, family.dimensions, salt=space) for text in texts[len(queries) :]]
    usage = _usage(texts, price)
    return of_json(in_envelope(_result(family, vectors, body, usage)), usage=usage)


def openai(model: str, family: EmbeddingFamily, price: Price, body: Mapping[str, Any]) -> Reply:
    """The answer of `/ai/v1/embeddings`. Raises `ServiceError` for a body the model refuses."""
    if "input" not in body:
        raise errors.bad_input("required properties at '/' are 'input'")
    texts = _checked(_listed("input", body["input"], family.max_texts), body)
    space = _space(model, family, body)
    data = [
        {"object": "embedding", "embedding": embed(text, family.dimensions, salt=space), "index": index}
        for index, text in enumerate(texts)
    ]
    usage = _usage(texts, price)
    answer: dict[str, Any] = {"object": "list", "data": data, "model": model}
    if family.openai_usage:
        answer["usage"] = {"prompt_tokens": usage.prompt_tokens, "total_tokens": usage.total_tokens}
    return of_json(answer, usage=usage)


def _inputs(family: EmbeddingFamily, body: Mapping[str, Any]) -> tuple[list[str], list[str]]:
    """The queries and the documents of a body; `text` means documents (the trap of qwen3)."""
    names = ("queries", "documents", "text") if family.asymmetric else ("text",)
    given = {name: _listed(name, body[name], family.max_texts) for name in names if name in body}
    if not given:
        raise errors.bad_input(f"Error: oneOf at '/' not met, 0 matches: required properties at '/' are '{names[-1]}'")
    return given.get("queries", []), given.get("documents", []) + given.get("text", [])


def _listed(name: str, value: Any, limit: int) -> list[str]:
    """One text or a list of them, as a list of 1 to `limit` texts, none empty."""
    texts = [value] if isinstance(value, str) else value
    if not isinstance(texts, list):
        raise errors.bad_input(f"Type mismatch of '/{name}', '{json_type(value)}' not in 'string,array'")
    if not texts:
        raise errors.bad_input(f"'/{name}' must have >= 1 items")
    if len(texts) > limit:
        raise errors.bad_input(f"'/{name}' must have <= {limit} items")
    for at, text in enumerate(texts):
        if not isinstance(text, str):
            raise errors.bad_input(f"Type mismatch of '/{name}/{at}', '{json_type(text)}' not in 'string'")
        if not text:
            raise errors.bad_input(f"Length of '/{name}/{at}' must be >= 1")
    return texts


def _checked(texts: list[str], body: Mapping[str, Any]) -> list[str]:
    """The texts, if the model can hold them; cut to what it holds when the body says `truncate_inputs`."""
    if body.get("truncate_inputs") is True:
        texts = [tokens.truncate(text, _MAX_TEXT_TOKENS) for text in texts]
    counts = list(map(tokens.count, texts))
    if max(counts) > _MAX_TEXT_TOKENS:
        raise errors.upstream_refusal(f"Sequence too long: {max(counts)} tokens, the maximum is {_MAX_TEXT_TOKENS}")
    if sum(counts) > _MAX_CALL_TOKENS:
        raise errors.upstream_refusal(
            f"Max context reached {sum(counts)} tokens but model supports only {_MAX_CALL_TOKENS}"
        )
    return texts


def _space(model: str, family: EmbeddingFamily, body: Mapping[str, Any]) -> str:
    """The name of the vector space: vectors of two models, or of two kinds of pooling, do not compare (quirk 67)."""
    return f"{model.rpartition('/')[2][:48]} {_pooling(family, body) or ''}"


def _pooling(family: EmbeddingFamily, body: Mapping[str, Any]) -> str | None:
    if family.pooling is None:
        return None
    pooling = body.get("pooling", family.pooling)
    if pooling not in {"mean", "cls"}:
        raise errors.bad_input("Value mismatch of '/pooling', must be one of mean, cls")
    return str(pooling)


def _of_query(text: str, family: EmbeddingFamily, space: str, body: Mapping[str, Any]) -> Vector:
    """A query's vector: that of the text, drawn a little towards the instruction."""
    instruction = str(body.get("instruction") or _DEFAULT_INSTRUCTION)
    own = embed(text, family.dimensions, salt=space)
    drawn = embed(instruction, family.dimensions, salt=space)
    return normalise(a + _INSTRUCTION_WEIGHT * b for a, b in zip(own, drawn, strict=True))


def _usage(texts: Sequence[str], price: Price) -> Usage:
    return Usage(sum(map(tokens.count, texts)), 0, price)


def _result(family: EmbeddingFamily, vectors: list[Vector], body: Mapping[str, Any], usage: Usage) -> dict[str, Any]:
    result: dict[str, Any] = {"shape": [len(vectors), family.dimensions], "data": vectors}
    if family.pooling is not None:
        result["pooling"] = _pooling(family, body)
    if family.usage == "usage":
        result["usage"] = usage.full()
    if family.usage == "meta":
        # `response` is there and null: it does not make this a chat answer (quirk 4).
        result |= {"response": None, "meta": {"neurons": usage.neurons}}
    return result


def _of_contexts(model: str, family: EmbeddingFamily, price: Price, body: Mapping[str, Any]) -> Reply:
    """bge-m3 given contexts and no query: their vectors, but under `response`, not `data`."""
    texts = _checked(ranking.contexts_of(body), body)
    space = _space(model, family, body)
    vectors = [embed(text, family.dimensions, salt=space) for text in texts]
    result = {"response": vectors, "shape": [len(vectors), family.dimensions], "pooling": _pooling(family, body)}
    usage = _usage(texts, price)
    return of_json(in_envelope(result), usage=usage)
