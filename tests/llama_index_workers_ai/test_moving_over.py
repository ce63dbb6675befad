"""Who comes from OpenAILike or CloudflareEmbedding changes the class and nothing else."""

from __future__ import annotations

import pytest
from llama_index.core.agent.workflow import FunctionAgent
from llama_index.core.base.llms.types import ChatMessage
from llama_index.core.prompts import PromptTemplate
from pydantic import BaseModel

from llama_index_workers_ai import WorkersAI, WorkersAIEmbedding

LLAMA = "@cf/meta/llama-3.3-70b-instruct-fp8-fast"


class Tower(BaseModel):
    height: int


def openai_like(server):
    """What people hand to OpenAILike to reach Workers AI with it."""
    return {
        "model": LLAMA,
        "api_base": f"{server.base_url}/accounts/{server.account_id}/ai/v1",
        "api_key": server.api_token,
        "context_window": 24_000,
        "max_tokens": 200,
        "temperature": 0.1,
        "is_chat_model": True,
        "is_function_calling_model": True,
        "should_use_structured_outputs": True,
        "additional_kwargs": {"top_p": 0.9},
        "max_retries": 3,
        "timeout": 60.0,
        "default_headers": {"x-team": "towers"},
        "reuse_client": True,
        "system_prompt": "Be brief.",
    }


def as_we_write_it(server):
    """The same in our own words."""
    given = openai_like(server)
    del given["api_base"], given["api_key"]
    own = {"account_id": server.account_id, "api_token": server.api_token, "base_url": server.base_url, "api": "openai"}
    return {**given, **own}


@pytest.mark.parametrize("arguments", [openai_like, as_we_write_it])
def test_openai_likes_arguments_chat_call_tools_and_structure(server, arguments):
    llm = WorkersAI(**arguments(server))
    found = llm.metadata
    assert (found.context_window, found.num_output, found.is_function_calling_model) == (24_000, 200, True)
    llm.chat([ChatMessage(role="user", content="Hello")])
    prompt = PromptTemplate("The tower is 324 metres high. What is its height?")
    assert llm.structured_predict(Tower, prompt) == Tower(height=324)
    chat, structured = server.requests
    assert chat.path == structured.path == f"/client/v4/accounts/{server.account_id}/ai/v1/chat/completions"
    assert chat.json["temperature"] == 0.1
    assert (chat.json["max_tokens"], chat.json["top_p"]) == (200, 0.9)
    assert chat.headers["x-team"] == "towers"
    assert structured.json["response_format"]["type"] == "json_schema"


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # the framework's own
async def test_an_agent_written_for_openai_like_runs(server):
    def weather(city: str) -> str:
        """Get the weather in a city."""
        return f"Sunny in {city}"

    agent = FunctionAgent(tools=[weather], llm=WorkersAI(**openai_like(server)))
    assert "Sunny in Oslo" in str(await agent.run("What is the weather in Oslo?"))


@pytest.mark.parametrize("token", ["auth_token", "api_token"])
def test_cloudflare_embeddings_arguments_embed(server, monkeypatch, token):
    monkeypatch.setenv("CLOUDFLARE_BASE_URL", server.base_url)
    embedding = WorkersAIEmbedding(
        account_id=server.account_id, **{token: server.api_token}, model="@cf/baai/bge-base-en-v1.5"
    )
    assert len(embedding.get_text_embedding("text")) == 768
    assert embedding.model_name == embedding.model == "@cf/baai/bge-base-en-v1.5"
