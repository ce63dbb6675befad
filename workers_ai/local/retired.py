"""Models that are gone, by the day on which they went: an account that serves the listing only refuses them so."""

from collections.abc import Mapping

_GONE = {
    "2025-10-01": """
        @cf/deepseek-ai/deepseek-math-7b-instruct @cf/fblgit/una-cybertron-7b-v2-bf16 @cf/openchat/openchat-3.5-0106
        @cf/qwen/qwen1.5-0.5b-chat @cf/qwen/qwen1.5-1.8b-chat @cf/qwen/qwen1.5-14b-chat-awq
        @cf/qwen/qwen1.5-7b-chat-awq @cf/thebloke/discolm-german-7b-v1-awq @cf/tiiuae/falcon-7b-instruct
        @cf/tinyllama/tinyllama-1.1b-chat-v1.0 @hf/nexusflow/starling-lm-7b-beta
        @hf/thebloke/deepseek-coder-6.7b-base-awq @hf/thebloke/deepseek-coder-6.7b-instruct-awq
        @hf/thebloke/llama-2-13b-chat-awq @hf/thebloke/llamaguard-7b-awq @hf/thebloke/mistral-7b-instruct-v0.1-awq
        @hf/thebloke/neural-chat-7b-v3-1-awq @hf/thebloke/openhermes-2.5-mistral-7b-awq @hf/thebloke/zephyr-7b-beta-awq
    """,
    "2026-05-30": """
        @cf/defog/sqlcoder-7b-2 @cf/facebook/bart-large-cnn @cf/meta/llama-2-7b-chat-fp16
        @cf/meta/llama-2-7b-chat-int8 @cf/meta/llama-3-8b-instruct @cf/meta/llama-3-8b-instruct-awq
        @cf/meta/llama-3.1-70b-instruct @cf/meta/llama-3.1-8b-instruct-awq @cf/microsoft/phi-2
        @cf/mistral/mistral-7b-instruct-v0.1 @cf/unum/uform-gen2-qwen-500m @hf/google/gemma-7b-it
        @hf/meta-llama/meta-llama-3-8b-instruct @hf/mistral/mistral-7b-instruct-v0.2
    """,
}

RETIRED: Mapping[str, str] = {model: day for day, models in _GONE.items() for model in models.split()}
"""Id -> ISO date. Some models whose notice names a day are listed and answer all the same: those are not here."""
