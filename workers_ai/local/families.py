"""The manners of each family of models, as data.

A family is decided by the model's id alone; an id nobody knows counts as a classic chat model, as the service's
default task. What the wire observations say (numbers are quirks) stands here and nowhere else in the emulator.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from typing import Any, Literal


@dataclass(frozen=True, slots=True)
class Price:
    """USD per million tokens. in_neurons: whether answers tell neurons; other vendors' models tell none."""

    input: float
    output: float = 0.0
    in_neurons: bool = True


@dataclass(frozen=True, slots=True)
class Range:
    """What an option's value may be, both ends included."""

    low: float
    high: float


@dataclass(frozen=True, slots=True)
class ChatFamily:
    """How a chat model takes its input and words its answer.

    answer: a native answer is `{"response": text}`, or an OpenAI chat completion inside the envelope (1).
    native_stream: frames of the same kind, or "empty": `stream: true` is answered by JSON with `result: {}` (3).
    usage: which of the three ways of counting a stream on `/ai/v1` follows (16).
    takes_parts: message content may be a list of parts (51).
    takes_prompt: `{"prompt": ...}` is accepted natively.
    takes_null: options may be null; null content too, next to tool calls (45).
    default_max_tokens: what counts when the request names no maximum (57); None: as much as there is to say.
    numbers: a token of digits is sent as a JSON number (6).
    thinks: "in text" puts the reasoning before a `</think>` that was never opened (30).
    end_token: the end of the text counts as a completion token of its own.
    no_text: the content of an answer that never got past its reasoning (7).
    call_ids: how the ids of tool calls look (33).
    pieces_per_delta: how many pieces of calls one streamed frame holds at most.
    stringifies: natively, integers and lists among a call's arguments are strings (40).
    native_finish: a native answer with calls has `finish_reason`, and it is "stop" (38).
    images: content may hold images; "data" only as `data:` URLs.
    caches_prompts: a prompt sent again with the same `x-session-affinity` is partly cached (http-api 7.2).
    json_schema: what `response_format` holds natively: the bare schema, OpenAI's `{name, schema}`, or either (54).
    message_extras: keys of a whole answer's message that say nothing (8, 12).
    limits: ranges of the numeric options; a value outside is refused (52).
    """

    name: str
    answer: Literal["response", "completion"]
    native_stream: Literal["response", "completion", "empty"]
    usage: Literal[
        "total then zeros", "increments, total, zeros", "total twice", "increments, total", "total at the end"
    ]
    takes_parts: bool
    takes_prompt: bool
    takes_null: bool
    default_max_tokens: int | None
    numbers: bool
    thinks: Literal["never", "when asked", "always", "in text"]
    end_token: bool
    no_text: Literal[""] | None = ""
    obeys_stop: bool = True
    model_suffix: str = ""
    call_ids: Literal["vllm", "kimi"] = "vllm"
    pieces_per_delta: int = 1
    stringifies: bool = False
    native_finish: bool = False
    images: Literal["none", "data", "any"] = "none"
    caches_prompts: bool = False
    json_schema: Literal["bare", "wrapped", "both"] = "bare"
    message_extras: Mapping[str, Any] = field(default_factory=dict)
    limits: Mapping[str, Range] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class EmbeddingFamily:
    """How an embedding model takes texts and gives vectors.

    usage: where the count stands: `result.usage`, `result.meta.neurons` or nowhere (66).
    pooling: the default, which the answer names; None for a model without the option (67).
    openai_usage: `/ai/v1/embeddings` answers with usage.
    scores: `query` and `contexts` are understood as well, and ranked.
    asymmetric: `queries` and `documents` are told apart.
    """

    name: str
    dimensions: int
    pooling: Literal["mean", "cls"] | None
    usage: Literal["usage", "meta", "none"]
    max_texts: int = 100
    openai_usage: bool = True
    scores: bool = False
    asymmetric: bool = False


@dataclass(frozen=True, slots=True)
class RerankFamily:
    """A model that scores contexts against a query, natively only."""

    name: str


Family = ChatFamily | EmbeddingFamily | RerankFamily

_CLASSIC_LIMITS = {
    "temperature": Range(0, 5),
    "top_p": Range(0.001, 1),
    "top_k": Range(1, 50),
    "seed": Range(1, 9_999_999_999),
    "repetition_penalty": Range(0, 2),
    "frequency_penalty": Range(-2, 2),
    "presence_penalty": Range(-2, 2),
    "max_tokens": Range(0, 10_000_000),
}
_MODERN_LIMITS = {
    "temperature": Range(0, 2),
    "top_p": Range(0, 1),
    "frequency_penalty": Range(-2, 2),
    "presence_penalty": Range(-2, 2),
    "n": Range(1, 128),
    "top_logprobs": Range(0, 20),
    "max_tokens": Range(0, 10_000_000),
    "max_completion_tokens": Range(0, 10_000_000),
}

_CLASSIC = ChatFamily(
    name="classic",
    answer="response",
    native_stream="response",
    usage="total then zeros",
    takes_parts=False,
    takes_prompt=True,
    takes_null=False,
    default_max_tokens=256,
    numbers=True,
    thinks="never",
    end_token=False,
    obeys_stop=False,
    limits=_CLASSIC_LIMITS,
)
_LLAMA_33 = replace(_CLASSIC, name="llama-3.3", usage="increments, total, zeros", stringifies=True, caches_prompts=True)
_CLASSIC_VISION = replace(_CLASSIC, name="classic-vision", takes_parts=True, images="any")
_SCOUT = replace(
    _CLASSIC,
    name="llama-4-scout",
    takes_parts=True,
    images="data",
    native_finish=True,
    caches_prompts=True,
    limits=_CLASSIC_LIMITS
    | {
        "top_p": Range(0, 2),
        "repetition_penalty": Range(0, 2),
        "frequency_penalty": Range(0, 2),
        "presence_penalty": Range(0, 2),
    },
)
_R1_DISTILL = replace(_CLASSIC, name="deepseek-r1-distill", thinks="in text")

_GPT_OSS = ChatFamily(
    name="gpt-oss",
    answer="completion",
    native_stream="empty",
    usage="total twice",
    takes_parts=True,
    takes_prompt=True,
    takes_null=True,
    default_max_tokens=None,
    numbers=False,
    thinks="always",
    end_token=False,
    no_text=None,
    caches_prompts=True,
    json_schema="wrapped",
    message_extras={
        "refusal": None,
        "annotations": None,
        "audio": None,
        "function_call": None,
        "tool_calls": [],
    },
    limits=_MODERN_LIMITS,
)

_MODERN = ChatFamily(
    name="modern",
    answer="completion",
    native_stream="completion",
    usage="increments, total",
    takes_parts=True,
    takes_prompt=False,
    takes_null=True,
    default_max_tokens=None,
    numbers=False,
    thinks="when asked",
    end_token=True,
    no_text=None,
    pieces_per_delta=3,
    caches_prompts=True,
    json_schema="wrapped",
    limits=_MODERN_LIMITS,
)
_GEMMA_4 = replace(_MODERN, name="gemma-4", model_suffix="-external", images="any", json_schema="both")
_VISION = replace(_MODERN, name="modern-vision", images="any")
_QWEN_3 = replace(_MODERN, name="qwen3", takes_prompt=True, default_max_tokens=2000)
_NEMOTRON = replace(_MODERN, name="nemotron", message_extras={"tool_calls": None})
_GLM_5 = replace(_MODERN, name="glm-5", no_text="")
_THINKER = replace(_MODERN, name="always-thinking", thinks="always")
# The one kimi whose native stream is reported empty; its successors are not (quirk 3 names no version, the report
# is of its time).
_KIMI = replace(_VISION, name="kimi", call_ids="kimi")
_KIMI_25 = replace(_KIMI, name="kimi-k2.5", native_stream="empty")

# Other vendors' models, in OpenAI's form throughout.
_VENDOR = replace(
    _MODERN,
    name="vendor",
    usage="total at the end",
    thinks="never",
    end_token=False,
    images="any",
    caches_prompts=False,
)

_BGE = EmbeddingFamily("bge", 768, pooling="mean", usage="none")
_BGE_M3 = EmbeddingFamily("bge-m3", 1024, pooling="cls", usage="meta", scores=True)
_QWEN_EMBEDDING = EmbeddingFamily(
    "qwen3-embedding", 1024, pooling=None, usage="usage", max_texts=32, openai_usage=False, asymmetric=True
)

# First match wins; `*` stands for anything.
_FAMILIES: tuple[tuple[str, Family], ...] = (
    ("@cf/baai/bge-small-*", replace(_BGE, dimensions=384)),
    ("@cf/baai/bge-base-*", _BGE),
    ("@cf/baai/bge-large-*", replace(_BGE, dimensions=1024)),
    ("@cf/baai/bge-m3", _BGE_M3),
    ("@cf/baai/bge-reranker-*", RerankFamily("bge-reranker")),
    ("@cf/qwen/qwen3-embedding-*", _QWEN_EMBEDDING),
    ("@cf/google/embeddinggemma-*", EmbeddingFamily("embeddinggemma", 768, pooling=None, usage="none")),
    ("@cf/pfnet/plamo-embedding-*", EmbeddingFamily("plamo", 2048, pooling=None, usage="none")),
    ("@cf/meta/llama-3.3-*", _LLAMA_33),
    ("@cf/meta/llama-4-scout-*", _SCOUT),
    ("@cf/meta/llama-3.2-11b-vision-*", _CLASSIC_VISION),
    ("@cf/google/gemma-3-*", _CLASSIC_VISION),
    ("@cf/mistralai/mistral-small-3.1-*", _CLASSIC_VISION),
    ("@cf/deepseek-ai/deepseek-r1-distill-*", _R1_DISTILL),
    ("@cf/openai/gpt-oss-*", _GPT_OSS),
    ("@cf/google/gemma-4-*", _GEMMA_4),
    ("@cf/moonshotai/kimi-k2.5", _KIMI_25),
    ("@cf/moonshotai/kimi-k2.7-code", replace(_KIMI, thinks="always")),
    ("@cf/moonshotai/kimi-*", _KIMI),
    ("@cf/zai-org/glm-5.2", _GLM_5),
    ("@cf/zai-org/glm-5.3-flash", replace(_THINKER, no_text="", images="any")),
    ("@cf/zai-org/glm-5.3*", replace(_THINKER, no_text="")),
    ("@cf/zai-org/glm-*", _MODERN),
    ("@cf/nvidia/nemotron-*", _NEMOTRON),
    ("@cf/deepseek-ai/deepseek-v4-*", _VISION),
    ("@cf/qwen/qwen3-30b-*", _QWEN_3),
    ("@cf/qwen/qwen3.*", _VISION),
    ("@cf/aisingapore/gemma-sea-lion-v4-*", _QWEN_3),
    ("openai/*", _VENDOR),
    ("anthropic/*", _VENDOR),
    ("google/*", _VENDOR),
)


def lookup(model: str) -> Family:
    """The family of a model id; never an error: what is unknown speaks as a classic chat model."""
    return next((family for pattern, family in _FAMILIES if fnmatchcase(model, pattern)), _CLASSIC)


@dataclass(frozen=True, slots=True)
class Model:
    """What the emulator knows of one model beside its family: its price, its context window in tokens, its queue."""

    price: Price
    context_window: int | None = None
    queues: bool = False


_UNKNOWN = Model(Price(0.282, 0.827))

MODELS: Mapping[str, Model] = {
    "@cf/meta/llama-3.2-1b-instruct": Model(Price(0.027, 0.201), 60_000),
    "@cf/meta/llama-3.2-3b-instruct": Model(Price(0.051, 0.335), 80_000),
    "@cf/meta/llama-3.1-8b-instruct": Model(Price(0.282, 0.827), 7_968),
    "@cf/meta/llama-3.1-8b-instruct-fp8": Model(Price(0.152, 0.287), 32_000),
    "@cf/meta/llama-3.1-8b-instruct-fp8-fast": Model(Price(0.045, 0.384)),
    "@cf/meta/llama-3.2-11b-vision-instruct": Model(Price(0.049, 0.676), 128_000),
    "@cf/meta/llama-3.3-70b-instruct-fp8-fast": Model(Price(0.293, 2.253), 24_000, queues=True),
    "@cf/meta/llama-4-scout-17b-16e-instruct": Model(Price(0.270, 0.850), 131_000, queues=True),
    "@cf/meta/llama-guard-3-8b": Model(Price(0.484, 0.030), 131_072),
    "@cf/google/gemma-3-12b-it": Model(Price(0.345, 0.556), 80_000),
    "@cf/google/gemma-4-26b-a4b-it": Model(Price(0.100, 0.300), 256_000, queues=True),
    "@cf/mistralai/mistral-small-3.1-24b-instruct": Model(Price(0.351, 0.555), 128_000),
    "@cf/qwen/qwq-32b": Model(Price(0.660, 1.000), 24_000),
    "@cf/qwen/qwen2.5-coder-32b-instruct": Model(Price(0.660, 1.000), 32_768),
    "@cf/qwen/qwen3-30b-a3b-fp8": Model(Price(0.051, 0.335), 32_768, queues=True),
    "@cf/qwen/qwen3.8-27b": Model(Price(0.450, 3.200), 262_144),
    "@cf/openai/gpt-oss-120b": Model(Price(0.350, 0.750), 128_000),
    "@cf/openai/gpt-oss-20b": Model(Price(0.200, 0.300), 128_000),
    "@cf/deepseek-ai/deepseek-r1-distill-qwen-32b": Model(Price(0.497, 4.881), 80_000),
    "@cf/deepseek-ai/deepseek-v4-flash-0731": Model(Price(0.440, 1.320), 1_310_720),
    "@cf/deepseek-ai/deepseek-v4-pro-0813": Model(Price(1.320, 3.960), 1_048_576),
    "@cf/ibm-granite/granite-4.0-h-micro": Model(Price(0.017, 0.112), 131_000),
    "@cf/aisingapore/gemma-sea-lion-v4-27b-it": Model(Price(0.351, 0.555), 128_000),
    "@cf/zai-org/glm-4.7-flash": Model(Price(0.060, 0.400), 131_072),
    "@cf/zai-org/glm-5.2": Model(Price(1.400, 4.400), 262_144),
    "@cf/zai-org/glm-5.3": Model(Price(1.400, 4.400), 1_048_576),
    "@cf/zai-org/glm-5.3-flash": Model(Price(0.150, 0.500), 1_048_576),
    "@cf/nvidia/nemotron-3-120b-a12b": Model(Price(0.500, 1.500), 256_000),
    "@cf/moonshotai/kimi-k2.5": Model(Price(0.600, 3.000), 256_000),
    "@cf/moonshotai/kimi-k2.6": Model(Price(0.950, 4.000), 262_144, queues=True),
    "@cf/moonshotai/kimi-k2.7-code": Model(Price(0.950, 4.000), 262_144),
    "@cf/baai/bge-small-en-v1.5": Model(Price(0.020), queues=True),
    "@cf/baai/bge-base-en-v1.5": Model(Price(0.067), queues=True),
    "@cf/baai/bge-large-en-v1.5": Model(Price(0.204), queues=True),
    "@cf/baai/bge-m3": Model(Price(0.012), 60_000, queues=True),
    "@cf/baai/bge-reranker-base": Model(Price(0.003)),
    "@cf/qwen/qwen3-embedding-0.6b": Model(Price(0.012), 8_192),
    "@cf/google/embeddinggemma-300m": Model(Price(0.0)),
    "@cf/pfnet/plamo-embedding-1b": Model(Price(0.019)),
    "@hf/nousresearch/hermes-2-pro-mistral-7b": Model(Price(0.282, 0.827), 24_000),
    "@cf/google/gemma-2b-it-lora": Model(Price(0.0), 8_192),
    "@cf/google/gemma-7b-it-lora": Model(Price(0.0), 3_500),
    "@cf/meta-llama/llama-2-7b-chat-hf-lora": Model(Price(0.0), 8_192),
    "@cf/mistral/mistral-7b-instruct-v0.2-lora": Model(Price(0.0), 15_000),
    "@cf/swiss-ai/apertus-v1.5-8b": Model(Price(0.0), 262_144),
    "@cf/utter-project/eurollm-9b-it": Model(Price(0.0), 32_000),
}


# Round figures, to have something to count: not the vendors' list prices.
VENDOR_MODELS: Mapping[str, Model] = {
    "openai/gpt-5.5": Model(Price(2.0, 10.0, in_neurons=False)),
    "openai/gpt-5-mini": Model(Price(0.25, 2.0, in_neurons=False)),
    "anthropic/claude-haiku-4.5": Model(Price(1.0, 5.0, in_neurons=False)),
    "anthropic/claude-sonnet-4.6": Model(Price(3.0, 15.0, in_neurons=False)),
    "google/gemini-3-flash": Model(Price(0.5, 3.0, in_neurons=False)),
}


def facts(model: str) -> Model:
    """Price, context window and queue; an unknown model costs what a classic one of 8B does and has no window."""
    return MODELS.get(model) or VENDOR_MODELS.get(model) or _UNKNOWN
