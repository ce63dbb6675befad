import json

import httpx
import pytest
from starlette.applications import Starlette
from starlette.responses import JSONResponse, StreamingResponse
from starlette.routing import Route

from workers_ai.local.backend import OpenAIBackend

LLAMA, GEMMA = "@cf/meta/llama-3.1-8b-instruct", "@cf/google/gemma-4-26b-a4b-it"


class OtherServer:
    """A server that speaks OpenAI's form, and keeps what it was asked."""

    def __init__(self, deltas, finish="stop"):
        self.asked = []
        self.deltas = deltas
        self.finish = finish
        self.app = Starlette(
            routes=[
                Route("/v1/models", self.models),
                Route("/v1/chat/completions", self.chat, methods=["POST"]),
            ]
        )

    async def models(self, _):
        return JSONResponse({"data": [{"id": "tiny-model"}]})

    async def chat(self, request):
        self.asked.append(await request.json())

        async def events():
            for delta in self.deltas:
                yield f"data: {json.dumps({'choices': [{'index': 0, 'delta': delta}]}, ensure_ascii=False)}\n\n"
            yield f"data: {json.dumps({'choices': [{'delta': {}, 'finish_reason': self.finish}]})}\n\ndata: [DONE]\n\n"

        return StreamingResponse(events(), media_type="text/event-stream")

    def backend(self, **options):
        return OpenAIBackend("http://other/v1", transport=httpx.ASGITransport(self.app), **options)


def test_the_words_are_the_backends_and_the_form_is_the_familys(make_emulator, frames_of, said):
    other = OtherServer([{"role": "assistant", "content": ""}, {"content": "A\u2028"}, {"content": "7"}])
    emulator = make_emulator(backend=other.backend())
    body = {"messages": said("Hello"), "temperature": 0.5, "max_tokens": 9}
    assert emulator.result(LLAMA, body)["response"] == "A\u20287"
    assert other.asked[0]["messages"] == body["messages"]
    assert other.asked[0]["model"] == "tiny-model"
    assert (other.asked[0]["temperature"], other.asked[0]["max_tokens"]) == (0.5, 9)
    frames = frames_of(emulator.run(LLAMA, body | {"stream": True}))
    assert [frame["response"] for frame in frames] == ["A\u2028", 7, ""]
    assert emulator.result(GEMMA, body)["choices"][0]["message"]["content"] == "A\u20287"


def test_reasoning_of_the_backend_is_shown_only_when_asked_for(make_emulator, said):
    other = OtherServer([{"reasoning": "Hm."}, {"content": "Yes"}], finish="length")
    emulator = make_emulator(backend=other.backend(model="mine"))
    plain = emulator.result(GEMMA, {"messages": said("Hello")})["choices"][0]
    asked = emulator.result(GEMMA, {"messages": said("Hello"), "reasoning_effort": "low"})["choices"][0]
    assert "reasoning_content" not in plain["message"]
    assert asked["message"]["reasoning_content"] == "Hm."
    assert asked["finish_reason"] == "length"
    assert {request["model"] for request in other.asked} == {"mine"}


@pytest.mark.parametrize("stream", [False, True])
def test_a_backend_that_is_not_there_is_an_upstream_failure_with_a_status(make_emulator, said, stream):
    emulator = make_emulator(backend=OpenAIBackend("http://127.0.0.1:9/v1", model="none"))
    response = emulator.run(LLAMA, {"messages": said("Hello"), "stream": stream})
    assert (response.status_code, response.json()["errors"][0]["code"]) == (504, 7009)


def test_a_backend_that_refuses_is_an_upstream_failure(make_emulator, said):
    other = OtherServer([])
    backend = OpenAIBackend("http://other/elsewhere", model="m", transport=httpx.ASGITransport(other.app))
    response = make_emulator(backend=backend).run(LLAMA, {"messages": said("Hello")})
    assert response.status_code == 504
    assert "HTTP 404" in response.json()["errors"][0]["message"]


def test_a_backend_that_breaks_off_leaves_an_error_frame_and_no_done(make_emulator, said):
    class Breaking:
        async def generate(self, request):
            from workers_ai.local import errors
            from workers_ai.local.backend import Delta

            yield Delta(text="Hel")
            raise errors.upstream_unavailable("gone")

    emulator = make_emulator(backend=Breaking())
    response = emulator.run(LLAMA, {"messages": said("Hello"), "stream": True})
    first, last = [json.loads(line[6:]) for line in response.text.split("\n") if line]
    assert first["response"] == "Hel"
    assert last["errors"][0]["code"] == 7009
    assert emulator.account.usage.by_model[LLAMA].completion_tokens == 1


def test_calls_of_the_backend_come_in_the_form_of_the_family(make_emulator, frames_of, said):
    pieces = [
        {"tool_calls": [{"index": 0, "id": "x", "function": {"name": "add", "arguments": ""}}]},
        {"tool_calls": [{"index": 0, "function": {"arguments": '{"a":1'}}]},
        {"tool_calls": [{"index": 0, "function": {"arguments": "}"}}]},
    ]
    other = OtherServer(pieces, finish="tool_calls")
    emulator = make_emulator(backend=other.backend(model="mine"))
    call = {"id": "c", "type": "function", "function": {"name": "add", "arguments": '{"a":0}'}}
    history = [*said("Hello"), {"role": "assistant", "content": "", "tool_calls": [call]}]
    history.append({"role": "tool", "tool_call_id": "c", "content": "0"})
    body = {"messages": history, "tools": [{"name": "add", "description": "", "parameters": {}}]}
    assert emulator.result(LLAMA, body)["tool_calls"] == [{"name": "add", "arguments": {"a": 1}}]
    assert other.asked[0]["messages"][1]["tool_calls"] == [call]
    assert other.asked[0]["messages"][2] == {"role": "tool", "tool_call_id": "c", "content": "0"}
    assert other.asked[0]["tools"] == [{"type": "function", "function": body["tools"][0]}]
    schema = {"type": "object", "properties": {"a": {"type": "integer"}}}
    emulator.run(LLAMA, body | {"response_format": {"type": "json_schema", "json_schema": schema}})
    assert other.asked[1]["response_format"]["json_schema"]["schema"] == schema
    choice = emulator.result(GEMMA, body)["choices"][0]
    assert choice["message"]["tool_calls"][0]["function"] == {"name": "add", "arguments": '{"a":1}'}
    assert choice["finish_reason"] == "tool_calls"
