"""What traces are told."""

import pytest
from langchain_core.tracers.run_collector import RunCollectorCallbackHandler

GEMMA = "@cf/google/gemma-4-26b-a4b-it"
GPT_OSS = "@cf/openai/gpt-oss-20b"


@pytest.mark.parametrize(("kind", "type_"), [("chat", "chat"), ("llm", "llm")])
@pytest.mark.parametrize(
    ("given", "call", "stop", "told"),
    [
        ({}, {}, None, {"ls_model_name": GEMMA}),
        ({"temperature": 0.5, "max_tokens": 7}, {}, None, {"ls_temperature": 0.5, "ls_max_tokens": 7}),
        ({"temperature": 0.0}, {}, None, {"ls_temperature": 0.0}),
        ({"temperature": 0.5}, {"temperature": 0.9}, None, {"ls_temperature": 0.9}),
        ({}, {"max_completion_tokens": 7}, None, {"ls_max_tokens": 7}),
        ({}, {"model": GPT_OSS}, None, {"ls_model_name": GPT_OSS}),
        ({}, {"model_name": GPT_OSS}, None, {"ls_model_name": GPT_OSS}),
        ({"stop": ["a"]}, {}, None, {"ls_stop": ["a"]}),
        ({"stop": ["a"]}, {}, ["b"], {"ls_stop": ["b"]}),
        ({}, {"stop_sequences": ["c"]}, None, {"ls_stop": ["c"]}),
    ],
)
def test_langsmiths_parameters_are_those_of_the_call(service, kind, type_, given, call, stop, told):
    params = getattr(service, kind)(**given)._get_ls_params(stop=stop, **call)
    assert params["ls_provider"] == "cloudflare-workers-ai"
    assert params["ls_model_type"] == type_
    assert params.items() >= told.items()


def test_what_is_not_set_is_not_told(service):
    assert set(service.chat()._get_ls_params()) == {"ls_provider", "ls_model_name", "ls_model_type"}


@pytest.mark.parametrize("way", ["invoke", "stream"])
@pytest.mark.parametrize("kind", ["chat", "llm"])
def test_a_run_holds_the_model_its_options_and_its_answer(service, kind, way):
    collector = RunCollectorCallbackHandler()
    model = getattr(service, kind)(temperature=0.5)
    _ = [*getattr(model, way)("Hi", config={"callbacks": [collector]})]
    (run,) = collector.traced_runs
    assert run.metadata.items() >= {"ls_model_name": GEMMA, "ls_provider": "cloudflare-workers-ai"}.items()
    assert run.extra["invocation_params"].items() >= {"model": GEMMA, "temperature": 0.5}.items()
    assert run.serialized["kwargs"]["model"] == GEMMA
    assert "Hello there." in repr(run.outputs)
    assert run.error is None


def test_the_provider_of_traces_and_of_answers_is_one(service):
    model = service.chat()
    assert model._get_ls_params()["ls_provider"] == model.invoke("Hi").response_metadata["model_provider"]


def test_a_run_tells_its_tokens(service):
    collector = RunCollectorCallbackHandler()
    list(service.chat().stream("Hi", config={"callbacks": [collector]}))
    (run,) = collector.traced_runs
    message = run.outputs["generations"][0][0]["message"]["kwargs"]
    assert message["usage_metadata"]["total_tokens"] == 10


def test_a_run_that_failed_tells_why(service):
    service.answers(service.refuses(429, {"errors": [{"code": 3040, "message": "no capacity"}]}))
    collector = RunCollectorCallbackHandler()
    with pytest.raises(Exception, match="3040"):
        service.chat().invoke("Hi", config={"callbacks": [collector]})
    (run,) = collector.traced_runs
    assert "WorkersAICapacityError" in run.error
    assert "3040" in run.error
