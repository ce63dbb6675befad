"""LlamaIndex's own machinery over the emulator: query engines, chat engines with memory, an agent without tools."""

from __future__ import annotations

from typing import Any

import pytest
from llama_index.core import Document, VectorStoreIndex
from llama_index.core.agent.workflow import ReActAgent
from llama_index.core.base.llms.types import ChatMessage
from llama_index.core.chat_engine import CondensePlusContextChatEngine, ContextChatEngine, SimpleChatEngine
from llama_index.core.memory import ChatMemoryBuffer
from llama_index.core.prompts import PromptTemplate
from llama_index.core.tools import FunctionTool

from llama_index_workers_ai import WorkersAI

FACTS = [
    "The lighthouse of Quellmoor was built in 1871 by Adele Brandt.",
    "Quellmoor bakes a rye bread that keeps for eleven days.",
    "The ferry to Quellmoor leaves at seven in the morning.",
]
QUESTION = "Who built the lighthouse of Quellmoor?"


@pytest.fixture
def index(embedding) -> VectorStoreIndex:
    return VectorStoreIndex.from_documents([Document(text=text) for text in FACTS], embed_model=embedding)


async def test_query_aquery_and_streaming_give_the_same_answer(index, llm, server):
    engine = index.as_query_engine(llm=llm, similarity_top_k=2)
    streaming = index.as_query_engine(llm=llm, similarity_top_k=2, streaming=True)
    astreaming = index.as_query_engine(llm=llm, similarity_top_k=2, streaming=True, use_async=True)
    server.clear()
    answers = [
        str(engine.query(QUESTION)),
        str(await engine.aquery(QUESTION)),
        "".join(streaming.query(QUESTION).response_gen),
        "".join([piece async for piece in (await astreaming.aquery(QUESTION)).async_response_gen()]),
    ]
    assert "Adele Brandt" in answers[0]
    assert len(set(answers)) == 1
    chats = [request for request in server.requests if "messages" in request.json]
    assert len(chats) == 4
    assert [message["role"] for message in chats[0].json["messages"]] == ["system", "user"]


@pytest.mark.parametrize("mode", ["compact", "refine", "tree_summarize", "simple_summarize"])
def test_every_way_to_put_an_answer_together_works(index, llm, mode):
    answer = index.as_query_engine(llm=llm, similarity_top_k=3, response_mode=mode).query(QUESTION)
    assert "Brandt" in str(answer)


def test_a_model_that_is_no_chat_model_answers_too(index, connection):
    llm = WorkersAI(model="@cf/meta/llama-3.1-8b-instruct", is_chat_model=False, **connection)
    assert "Brandt" in str(index.as_query_engine(llm=llm).query(QUESTION))


def chat_engine(name: str, index: VectorStoreIndex, llm: WorkersAI, memory: ChatMemoryBuffer) -> Any:
    if name == "simple":
        return SimpleChatEngine.from_defaults(llm=llm, memory=memory, system_prompt="Be brief.")
    cls = {"context": ContextChatEngine, "condense_plus_context": CondensePlusContextChatEngine}[name]
    return cls.from_defaults(retriever=index.as_retriever(), llm=llm, memory=memory, system_prompt="Be brief.")


@pytest.mark.parametrize("name", ["simple", "context", "condense_plus_context"])
async def test_a_chat_engine_keeps_the_turns_and_leaves_the_callers_history_alone(index, llm, server, name):
    history = [ChatMessage(role="user", content="Good day."), ChatMessage(role="assistant", content="Good day!")]
    kept = [message.model_copy(deep=True) for message in history]
    engine = chat_engine(name, index, llm, ChatMemoryBuffer.from_defaults(chat_history=list(history), token_limit=3000))
    engine.chat(QUESTION)
    await engine.achat("When does the ferry leave?")
    stream = engine.stream_chat("How long does the bread keep?")
    answer = "".join(stream.response_gen)
    assert history == kept
    roles = [message["role"] for message in server.requests[-1].json["messages"]]
    assert roles == ["system", *["user", "assistant"] * 3, "user"]
    assert [message.role.value for message in engine.chat_history] == ["user", "assistant"] * 4
    assert engine.chat_history[-1].content == answer
    assert all(isinstance(message["content"], str) for message in server.requests[-1].json["messages"])


async def test_a_chat_engine_streams_async(index, llm):
    engine = chat_engine("context", index, llm, ChatMemoryBuffer.from_defaults(token_limit=3000))
    response = await engine.astream_chat(QUESTION)
    assert "Brandt" in "".join([piece async for piece in response.async_response_gen()])


async def test_predict_puts_the_system_prompt_before_and_chat_does_not(connection, server):
    llm = WorkersAI(system_prompt="Be brief.", **connection)
    template = PromptTemplate("Say {word}")
    llm.predict(template, word="yes")
    await llm.apredict(template, word="yes")
    "".join(llm.stream(template, word="yes"))
    "".join([piece async for piece in await llm.astream(template, word="yes")])
    llm.chat([ChatMessage(role="user", content="Say yes")])
    roles = [[message["role"] for message in request.json["messages"]] for request in server.requests]
    assert roles == [["system", "user"]] * 4 + [["user"]]


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # the framework's own
async def test_react_agent_works_without_the_models_own_tool_calls(fake):
    def frames(text):
        return [{"choices": [{"delta": {"content": text}, "finish_reason": "stop"}]}]

    service = fake(
        frames('Thought: I need a tool.\nAction: add\nAction Input: {"a": 40, "b": 2}'),
        frames("Thought: I can answer.\nAnswer: It is 42."),
    )
    tool = FunctionTool.from_defaults(lambda a, b: a + b, name="add", description="Adds a and b.")
    agent = ReActAgent(tools=[tool], llm=WorkersAI(**service.arguments))
    assert str(await agent.run("What is 40 + 2?")) == "It is 42."
    assert "Observation: 42" in service.requests[1]["messages"][-1]["content"]
