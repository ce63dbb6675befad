"""The LlamaIndex half of `demo --agent`: a FunctionAgent, its events shown as they come."""

from __future__ import annotations

import asyncio

from llama_index.core.agent.workflow import AgentStream, FunctionAgent, ToolCallResult

from llama_index_workers_ai import WorkersAI
from workers_ai.cli.acting import Acted, Show
from workers_ai.cli.agent_tools import FUNCTIONS
from workers_ai.cli.answering import Models


def act(question: str, models: Models, show: Show) -> Acted:
    """Run the agent to its end, showing text and tools as they come."""
    return asyncio.run(_act(question, models, show))


async def _act(question: str, models: Models, show: Show) -> Acted:
    agent = FunctionAgent(
        tools=list(FUNCTIONS),
        llm=WorkersAI(model=models.chat, **models.connection),
        system_prompt="Answer with the help of the tools.",
    )
    acted = Acted()
    handler = agent.run(question)
    async for event in handler.stream_events():
        if isinstance(event, AgentStream):
            acted.pieces += bool(event.delta)
            show(event.delta)
        elif isinstance(event, ToolCallResult):
            acted.note(event.tool_name, event.tool_kwargs, str(event.tool_output.content), show)
    await handler
    return acted
