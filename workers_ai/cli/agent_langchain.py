"""The LangChain half of `demo --agent`: a model with tools, in the loop that every agent is."""

from __future__ import annotations

from langchain_core.messages import AIMessageChunk, BaseMessage, HumanMessage
from langchain_core.tools import StructuredTool

from langchain_workers_ai import ChatWorkersAI
from workers_ai.cli.acting import Acted, Show
from workers_ai.cli.agent_tools import FUNCTIONS
from workers_ai.cli.answering import Models

MAX_TURNS = 6


def act(question: str, models: Models, show: Show) -> Acted:
    """Stream the model, run the tools it calls, and begin again with their results until it calls none."""
    tools = {made.name: made for made in [StructuredTool.from_function(each) for each in FUNCTIONS]}
    model = ChatWorkersAI(model=models.chat, **models.connection).bind_tools(list(tools.values()))
    messages: list[BaseMessage] = [HumanMessage(content=question)]
    acted = Acted()
    for _ in range(MAX_TURNS):
        answer = AIMessageChunk(content="")
        for chunk in model.stream(messages):
            assert isinstance(chunk, AIMessageChunk)
            acted.pieces += bool(chunk.text)
            show(str(chunk.text))
            answer += chunk
        messages.append(answer)
        if not answer.tool_calls:
            break
        for call in answer.tool_calls:
            result = tools[call["name"]].invoke(call)
            acted.note(call["name"], call["args"], result.content, show)
            messages.append(result)
    return acted
