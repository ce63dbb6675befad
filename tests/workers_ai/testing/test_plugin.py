"""The fixtures in projects of their own: scripted agents, the requests they made, and what fails a test."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import workers_ai

ASK = """
from workers_ai import Client

def ask(text="Hello?", **options):
    return Client(max_retries=0).chat(text, **options)

"""


def test_a_model_without_arguments_reaches_the_emulator(run_tests, monkeypatch):
    """Whatever account and gateway the environment had before; and it has them again after the test."""
    monkeypatch.setenv("CLOUDFLARE_ACCOUNT_ID", "c0ffee" * 5 + "00")
    monkeypatch.setenv("CLOUDFLARE_AI_GATEWAY", "one-of-mine")
    run_tests("""
        import os
        from langchain_workers_ai import ChatWorkersAI
        from llama_index_workers_ai import WorkersAI

        def test_both(workers_ai_server):
            workers_ai_server.reply("from a script")
            assert ChatWorkersAI().invoke("Hello?").text == "from a script"
            workers_ai_server.reply("from another")
            assert str(WorkersAI().complete("Hello?")) == "from another"
            assert len(workers_ai_server.requests) == 2

        def test_after():
            assert os.environ["CLOUDFLARE_AI_GATEWAY"] == "one-of-mine"
            assert "CLOUDFLARE_BASE_URL" not in os.environ
    """).assert_outcomes(passed=2)


def test_each_test_has_an_emulator_of_its_own(run_tests):
    """Requests, books, gateways and script."""
    run_tests(f"""{ASK}
import pytest

@pytest.mark.parametrize("number", range(3))
def test_alone(workers_ai_server, number):
    assert workers_ai_server.requests == []
    assert workers_ai_server.account.usage.neurons == 0
    assert "mine" not in workers_ai_server.account.gateways
    workers_ai_server.account.add_gateway("mine")
    assert ask("Reply exactly with: pong").text == "pong"  # nothing is scripted: the emulator answers
    workers_ai_server.reply("x")
    workers_ai_server.drop()
""").assert_outcomes(passed=3)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (
            'workers_ai_server.reply("a"); workers_ai_server.reply("b"); ask()',
            "*1 of 2 turns were not asked for: reply('b')*",
        ),
        (
            'workers_ai_server.reply("a"); ask()\n    try: ask("And then?")\n    except Exception: pass',
            "*chat 2: no turn is left; 1 were given*",
        ),
        ('workers_ai_server.call_tool("f", a=1)\n    try: ask()\n    except Exception: pass', "*there is no tool 'f'*"),
        (
            'workers_ai_server.call_tool("f", a=1)\n    try: ask()\n    except Exception: pass\n    assert "a" == "b"',
            "*there is no tool 'f'*",
        ),
    ],
)
def test_what_fails_a_test_although_the_program_hid_it(body, said, run_tests):
    """Failed, not an error of the teardown; where the test fails by itself the report tells it beside."""
    result = run_tests(f"{ASK}def test_one(workers_ai_server):\n    {body}\n")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines([said])


def test_no_request_is_told_as_such(run_tests):
    result = run_tests("def test_one(workers_ai_server):\n    workers_ai_server.last\n")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*no request has reached the emulator*"])


def test_the_requests_can_be_asked_about(run_tests):
    """Native and OpenAI's form alike; and no token is in what a failing assert would print."""
    run_tests(f"""{ASK}
import pytest

TOOL = {{"type": "function", "function": {{"name": "f", "description": "f", "parameters": {{"type": "object"}}}}}}

@pytest.mark.parametrize("api", ["native", "openai"])
@pytest.mark.parametrize("model", ["@cf/meta/llama-3.3-70b-instruct-fp8-fast", "@cf/google/gemma-4-26b-a4b-it"])
def test_seen(workers_ai_server, api, model):
    workers_ai_server.reply("Yes.")
    assert workers_ai_server.script.left == ["reply('Yes.')"]
    ask([{{"role": "system", "content": "Be brief."}}, {{"role": "user", "content": "Well?"}}],
        model=model, api=api, tools=[TOOL], temperature=0.5)
    seen = workers_ai_server.last
    assert (seen.model, seen.text, seen.tools, seen.stream) == (model, "Well?", ["f"], False)
    assert [message["role"] for message in seen.messages] == ["system", "user"]
    assert seen.json["temperature"] == 0.5
    assert seen.headers["content-type"] == "application/json"
    assert workers_ai_server.api_token not in repr(seen) + repr(seen.headers)
""").assert_outcomes(passed=4)


AGENTS = """
import asyncio
import pytest
from langchain.agents import create_agent
from langchain_workers_ai import ChatWorkersAI
from llama_index.core.agent.workflow import FunctionAgent
from llama_index_workers_ai import WorkersAI
from workers_ai import CapacityError

MODELS = ["@cf/meta/llama-3.3-70b-instruct-fp8-fast", "@cf/google/gemma-4-26b-a4b-it"]

def weather(city: str) -> str:
    "Weather in a city."
    return f"drizzle in {city}"

def script(server):
    server.call_tools(("weather", {"city": "Oslo"}), ("weather", {"city": "Bergen"}))
    server.reply("It drizzles in both.")

def check(server, streamed):
    first, second = server.requests
    assert first.tools == ["weather"]
    assert (first.stream, second.stream) == (streamed, streamed)
    assert [m["content"] for m in second.messages if m["role"] == "tool"] == ["drizzle in Oslo", "drizzle in Bergen"]

@pytest.mark.parametrize("api", ["native", "openai"])
@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("streamed", [False, True])
def test_langgraph(workers_ai_server, model, api, streamed):
    script(workers_ai_server)
    agent = create_agent(ChatWorkersAI(model=model, api=api), [weather])
    asked = {"messages": [("user", "Weather?")]}
    if streamed:
        told = "".join(chunk.text for chunk, facts in agent.stream(asked, stream_mode="messages")
                       if facts["langgraph_node"] == "model")
    else:
        told = agent.invoke(asked)["messages"][-1].text
    assert told == "It drizzles in both."
    check(workers_ai_server, streamed)

@pytest.mark.parametrize("api", ["native", "openai"])
@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("streamed", [False, True])
def test_llama_index(workers_ai_server, model, api, streamed):
    script(workers_ai_server)

    async def run():
        llm = WorkersAI(model=model, api=api)
        return await FunctionAgent(tools=[weather], llm=llm, streaming=streamed).run("Weather?")

    assert str(asyncio.run(run())) == "It drizzles in both."
    check(workers_ai_server, streamed)

def test_a_refusal_in_the_middle(workers_ai_server):
    workers_ai_server.call_tool("weather", city="Oslo")
    workers_ai_server.fail(3040)
    with pytest.raises(CapacityError):
        create_agent(ChatWorkersAI(max_retries=0), [weather]).invoke({"messages": [("user", "Weather?")]})

def test_a_call_that_does_not_fit(workers_ai_server):
    workers_ai_server.call_tool("weather", town="Oslo")
    create_agent(ChatWorkersAI(max_retries=0), [weather]).invoke({"messages": [("user", "Weather?")]})
"""


def test_agents_of_both_frameworks_follow_the_script(run_tests):
    pytest.importorskip("langchain", reason="langchain asks for a newer langchain-core than the oldest that we take")
    result = run_tests(AGENTS)
    result.assert_outcomes(passed=17, failed=1)
    result.stdout.fnmatch_lines(['*call weather, town="Oslo" does not fit the tool\'s schema: city is missing*'])


def test_structured_output_is_scripted_as_the_call_it_is(run_tests):
    run_tests("""
        from pydantic import BaseModel
        from langchain_workers_ai import ChatWorkersAI

        class Town(BaseModel):
            name: str
            founded: int

        def test_by_call(workers_ai_server):
            workers_ai_server.call_tool("Town", name="Velmouth", founded=1204)
            asked = ChatWorkersAI().with_structured_output(Town, method="function_calling")
            assert asked.invoke("Which?") == Town(name="Velmouth", founded=1204)

        def test_by_schema(workers_ai_server):
            workers_ai_server.reply({"name": "Velmouth", "founded": 1204})
            asked = ChatWorkersAI().with_structured_output(Town, method="json_schema")
            assert asked.invoke("Which?") == Town(name="Velmouth", founded=1204)
            assert workers_ai_server.last.json["response_format"]["type"] == "json_schema"
    """).assert_outcomes(passed=2)


UNUSED = """
import sys
import pytest

class Watch:
    @staticmethod
    def pytest_unconfigure():
        loaded = {name.partition(".")[0] for name in sys.modules}
        ours = {name for name in sys.modules if name.startswith("workers_ai")}
        heavy = {"httpx", "pydantic", "langchain_core", "llama_index", "starlette", "uvicorn"}
        print("LOADED", *sorted(loaded & heavy))
        print("OURS", *sorted(ours))

sys.exit(pytest.main(["-p", "workers_ai.testing.plugin", "-p", "no:cacheprovider", "-q", "."], [Watch()]))
"""


def test_a_run_that_uses_no_fixture_loads_nothing(tmp_path):
    """In a process of its own: three modules of ours, and neither emulator, httpx, pydantic nor a framework."""
    (tmp_path / "test_it.py").write_text("def test_it():\n    pass\n")
    here = Path(workers_ai.__file__).parent.parent
    done = subprocess.run(
        [sys.executable, "-c", UNUSED],
        cwd=tmp_path,
        env={**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTHONPATH": str(here)},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "LOADED\n" in done.stdout
    assert "OURS workers_ai workers_ai.testing workers_ai.testing.plugin\n" in done.stdout


def test_faults_befall_the_requests_of_the_test_alone(run_tests):
    """One that no request met fails it; and those of a test before are gone."""
    result = run_tests(f"""{ASK}
import pytest
from workers_ai import APIConnectionError, CapacityError

def test_met(workers_ai_server, workers_ai_faults):
    workers_ai_faults.next("3040")
    with pytest.raises(CapacityError):
        ask()
    workers_ai_faults.next("reset-before*")
    with pytest.raises(APIConnectionError):
        Client(max_retries=0).embed(["a text"])

def test_after(workers_ai_server):
    ask()

def test_unmet(workers_ai_faults):
    workers_ai_faults.next("429*2", path="/embeddings")
    ask()

def test_dropped(workers_ai_server, workers_ai_faults):
    workers_ai_faults.next("429")
    workers_ai_server.drop()
""")
    result.assert_outcomes(passed=3, failed=1)
    result.stdout.fnmatch_lines(["*No request met these faults of the emulator: 429, 429*"])
