from workers_ai.local.message import Message
from workers_ai.local.react import reply

SYSTEM = """You are designed to help with a variety of tasks.
You have access to the following tools:
> Tool Name: get_weather
Tool Description: get_weather(location: str) -> str
Get the weather at a location.
Tool Args: {"properties": {"location": {"type": "string"}}, "required": ["location"], "type": "object"}

> Tool Name: multiply
Tool Description: Multiply two numbers.
Tool Args: {"properties": {"a": {"type": "integer"}, "b": {"type": "integer"}}, "required": ["a", "b"]}

Please use the following format:

```
Thought: The current language of the user is: (user's language). I need to use a tool to help me answer the question.
Action: tool name (one of get_weather, multiply) if using a tool.
Action Input: the input to the tool, in a JSON format (e.g. {"input": "hello world", "num_beams": 5})
```
"""
HUB = """Answer the following questions as best you can. You have access to the following tools:

get_weather(location: str) -> str - Get the weather at a location.
search - Searches the web for an answer

Use the following format:

Question: the input question you must answer
Thought: you should always think about what to do
Action: the action to take, should be one of [get_weather, search]
Action Input: the input to the action
Observation: the result of the action

Begin!

Question: What is the weather in Oslo?
Thought:"""


def step(*turns):
    roles = ("user", "assistant")
    chat = [Message("system", SYSTEM), *(Message(roles[i % 2], text) for i, text in enumerate(turns))]
    return reply(chat, lambda messages: "; ".join(m.text for m in messages if m.is_result) or "Hello!")


def test_a_step_is_written_in_the_format_of_the_prompt():
    thought, action, given = step("What is the weather in Paris?").split("\n")
    assert thought.startswith("Thought: ")
    assert (action, given) == ("Action: get_weather", 'Action Input: {"location": "Paris"}')


def test_after_the_observation_comes_the_answer():
    question = "What is the weather in Paris?"
    answer = step(question, step(question), "Observation: Sunny, 21 degrees")
    assert answer.startswith("Thought: ")
    assert answer.endswith("\nAnswer: Sunny, 21 degrees")


def test_two_tools_run_one_after_the_other():
    question = "What is the weather in Paris, and what is 6 times 7?"
    first = step(question)
    second = step(question, first, "Observation: Sunny")
    assert 'Action: multiply\nAction Input: {"a": 6, "b": 7}' in second
    assert step(question, first, "Observation: Sunny", second, "Observation: 42").endswith("Answer: Sunny; 42")


def test_without_a_tool_that_fits_it_answers_at_once():
    assert step("Hello!").endswith("\nAnswer: Hello!")


def test_langchains_prompt_has_text_for_input_and_a_final_answer():
    first = reply([Message("user", HUB)], lambda messages: "?")
    assert "Action: get_weather\nAction Input: Oslo" in first
    scratch = f"{HUB}{first.removeprefix('Thought:')}\nObservation: Rain\nThought: "
    final = reply([Message("user", scratch)], lambda messages: messages[-1].text)
    assert final.endswith("Final Answer: Rain")


def test_other_prompts_are_none_of_its_business():
    assert reply([Message("user", "Hello"), Message("assistant", "Action: none")], lambda messages: "") is None
    assert reply([], lambda messages: "") is None
