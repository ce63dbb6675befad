import pytest

from workers_ai.local.message import Message
from workers_ai.local.tool_choice import choose
from workers_ai.local.tools import Tool, ToolCall, read_choice


def tool(name, description="", required=None, **properties):
    facts = {key: value if isinstance(value, dict) else {"type": value} for key, value in properties.items()}
    needed = list(facts) if required is None else required
    return Tool(name, description, {"type": "object", "properties": facts, "required": needed})


WEATHER = tool("get_weather", "Get the weather at a location.", location="string")
TIME = tool("get_current_time", "Current time in a city.", city="string")
ADD = tool("add", "Add two numbers.", a="integer", b="integer")
MULTIPLY = tool("multiply", "Multiply two numbers.", a="integer", b="integer")
MAGIC = tool("magic_function", "Apply a magic function to an input.", input="integer")


def calls(text, tools, choice="auto", history=(), **options):
    chosen = choose(tools, read_choice(choice), [Message("user", text), *history], **options)
    return [(call.name, dict(call.arguments)) for call in chosen]


def done(name, result, id="a", **arguments):
    return [Message("assistant", "", (ToolCall(name, arguments, id),)), Message("tool", result, call_id=id, name=name)]


@pytest.mark.parametrize(
    ("text", "location"),
    [
        ("What is the weather in Paris?", "Paris"),
        ("What is the weather in San Francisco, CA?", "San Francisco, CA"),
        ("Weather in Paris, France please", "Paris, France"),
        ("How warm is it in Oslo?", "Oslo"),
        ("is it raining in berlin right now?", "berlin"),
        ("Call get_weather with location exactly Paris.", "Paris"),
        ("東京 weather?", "東京"),
        ('Use get_weather for "Ulan Bator"', "Ulan Bator"),
    ],
)
def test_a_tool_that_meets_the_message_is_called_with_what_the_message_names(text, location):
    assert calls(text, [TIME, WEATHER]) == [("get_weather", {"location": location})]


@pytest.mark.parametrize("text", ["Hello!", "What is the capital of Mongolia?", "Write a poem.", "", "What's the sum?"])
def test_a_message_that_no_tool_is_for_is_answered_in_words(text):
    assert calls(text, [WEATHER, TIME, ADD]) == []


@pytest.mark.parametrize(
    ("text", "places"),
    [
        ("What's the weather in Paris and London?", ["Paris", "London"]),
        ("what's the weather in paris and london today?", ["paris", "london"]),
        ("The weather in Paris, Rome and San Francisco, CA", ["Paris", "Rome", "San Francisco, CA"]),
        ("The weather in Paris and the weather in Rome", ["Paris", "Rome"]),
    ],
)
def test_several_things_are_several_calls_at_once(text, places):
    assert calls(text, [WEATHER]) == [("get_weather", {"location": place}) for place in places]


def test_without_parallel_calls_they_come_one_by_one():
    text = "What's the weather in Paris and London?"
    first, second = ("get_weather", {"location": "Paris"}), ("get_weather", {"location": "London"})
    assert calls(text, [WEATHER], parallel=False) == [first]
    assert calls(text, [WEATHER], history=done("get_weather", "Sunny", location="Paris"), parallel=False) == [second]


def test_two_tools_are_called_side_by_side_and_share_what_is_named_once():
    text = "What is the weather in Paris, and what time is it there?"
    expected = [("get_weather", {"location": "Paris"}), ("get_current_time", {"city": "Paris"})]
    assert calls(text, [TIME, WEATHER]) == expected


def test_a_step_that_builds_on_another_waits_for_its_result():
    text = "Add 2 and 3, then multiply the result by 4."
    assert calls(text, [ADD, MULTIPLY]) == [("add", {"a": 2, "b": 3})]
    ((name, arguments),) = calls(text, [ADD, MULTIPLY], history=done("add", "5", a=2, b=3))
    assert name == "multiply"
    assert sorted(arguments.values()) == [4, 5]
    history = [*done("add", "5", a=2, b=3), *done("multiply", "20", id="b", **arguments)]
    assert calls(text, [ADD, MULTIPLY], history=history) == []


def test_a_call_with_a_result_is_not_made_again():
    assert calls("Weather in Paris?", [WEATHER], history=done("get_weather", "Sunny", location="Paris")) == []
    assert calls("Weather in Paris?", [WEATHER], "required", done("get_weather", "Sunny", location="Paris")) == []


def test_a_call_that_failed_is_made_again_only_if_it_would_differ():
    failed = done("add", "Error: Missing required argument 'b'.", a=1)
    assert calls("What is 1 + 2", [ADD], history=failed) == [("add", {"a": 1, "b": 2})]
    assert calls("What is 1 + 2", [ADD], history=done("add", "Error: no", a=1, b=2)) == []


def test_a_call_of_an_earlier_turn_does_not_count():
    history = [*done("get_weather", "Sunny", location="Paris"), Message("user", "And the weather in Paris now?")]
    assert calls("Weather in Paris?", [WEATHER], history=history) == [("get_weather", {"location": "Paris"})]


def test_none_calls_nothing_and_required_calls_the_best_there_is():
    assert calls("Weather in Paris?", [WEATHER], "none") == []
    assert calls("Hello!", [MAGIC, WEATHER], "required") == [("magic_function", {"input": 0})]
    assert calls("Weather in Paris?", [MAGIC, WEATHER], "required") == [("get_weather", {"location": "Paris"})]


@pytest.mark.parametrize(
    "choice",
    [
        {"type": "function", "function": {"name": "magic_function"}},
        {
            "type": "allowed_tools",
            "allowed_tools": {
                "mode": "required",
                "tools": [{"type": "function", "function": {"name": "magic_function"}}],
            },
        },
    ],
)
def test_a_named_tool_is_the_one_that_is_called(choice):
    assert calls("What is the weather in Paris?", [WEATHER, MAGIC], choice) == [("magic_function", {"input": 0})]


def test_what_is_required_after_the_tools_ran_is_the_one_that_did_not():
    report = tool("WeatherReport", "A report.", temperature="number", place="string")
    history = done("get_weather", "Sunny, 21 degrees in Paris", location="Paris")
    expected = [("WeatherReport", {"temperature": 21, "place": "Paris"})]
    assert calls("What's the weather in Paris?", [WEATHER, report], "required", history) == expected


def test_a_tool_without_parameters_gets_an_empty_object():
    assert calls("Use the tool.", [Tool("magic_function_no_args", "Calculate.")]) == [("magic_function_no_args", {})]


def test_options_listed_in_a_description_are_chosen_from():
    about = "Useful for handing off to another agent.\n\nAvailable agents:\n{'WriteAgent': 'Writes reports.', 'X': 'y'}"
    handoff = tool("handoff", about, to_agent="string", reason="string")
    ((_, arguments),) = calls("Please hand off: write a report", [handoff], "required")
    assert arguments["to_agent"] == "WriteAgent"


def test_a_conversation_is_handed_over_once_and_goes_on_there():
    about = "Useful for handing off to another agent.\n\nCurrently available agents:\n{'WeatherAgent': 'Tells it.'}"
    handoff = tool("handoff", about, to_agent="string", reason="string")
    ((name, arguments),) = calls("What is the weather in Oslo?", [handoff])
    assert (name, arguments["to_agent"]) == ("handoff", "WeatherAgent")
    history = done("handoff", "Agent WeatherAgent is now handling the request.", **arguments)
    expected = [("get_weather", {"location": "Oslo"})]
    assert calls("What is the weather in Oslo?", [handoff, WEATHER], history=history) == expected


def test_the_words_of_operators_are_known():
    assert calls("What is 3 + 4", [MULTIPLY, ADD]) == [("add", {"a": 3, "b": 4})]
    assert calls("What is 3 times 4?", [ADD, MULTIPLY]) == [("multiply", {"a": 3, "b": 4})]
    assert calls("magic_function(3) and magic_function(5)", [MAGIC]) == [
        ("magic_function", {"input": 3}),
        ("magic_function", {"input": 5}),
    ]
