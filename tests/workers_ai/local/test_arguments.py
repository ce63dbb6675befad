import pytest

from workers_ai.local.arguments import Filler
from workers_ai.local.material import Material


def filled(text, required=None, defs=None, **properties):
    facts = {key: value if isinstance(value, dict) else {"type": value} for key, value in properties.items()}
    schema = {"type": "object", "properties": facts, "$defs": defs or {}}
    schema["required"] = list(facts) if required is None else required
    return Filler(Material(text), schema).object(schema)


def test_a_journey_has_two_places_a_day_and_a_number():
    assert filled(
        "Book a flight from Berlin to New York on 3 May for 2 people",
        origin="string",
        destination="string",
        date="string",
        passengers="integer",
    ) == {"origin": "Berlin", "destination": "New York", "date": "3 May", "passengers": 2}


def test_a_preposition_tells_whose_name_it_is():
    assert filled("Make an album by Nina Simone for Oslo", name="string", artist="string")["artist"] == "Nina Simone"


def test_quotations_go_where_their_labels_say():
    text = "Send an email to bob@example.com with subject 'Hi' and body 'See you'"
    expected = {"recipient": "bob@example.com", "subject": "Hi", "body": "See you"}
    assert filled(text, recipient="string", subject="string", body="string") == expected


def test_a_choice_is_the_one_mentioned_or_else_the_first():
    unit = {"type": "string", "enum": ["fahrenheit", "celsius"]}
    assert filled("21 degrees celsius", unit=unit) == {"unit": "celsius"}
    assert filled("21 degrees", unit=unit) == {"unit": "fahrenheit"}


@pytest.mark.parametrize(
    ("text", "value"), [("twelve apples", 12), ("-3 degrees", -3), ("1,250 items", 1250), ("5km", 5), ("nothing", 0)]
)
def test_numbers_are_read_in_digits_and_in_words(text, value):
    assert filled(text, n="integer") == {"n": value}


def test_a_number_goes_to_the_parameter_whose_word_is_nearest():
    text = "A room with 3 beds for 7 nights"
    assert filled(text, nights="integer", beds="integer") == {"nights": 7, "beds": 3}


def test_numbers_keep_to_their_bounds():
    assert filled("nothing", n={"type": "integer", "exclusiveMinimum": 0}) == {"n": 1}
    assert filled("99", n={"type": "integer", "maximum": 10}) == {"n": 10}


def test_switches_follow_what_is_said():
    assert filled("Include images", include_images="boolean") == {"include_images": True}
    assert filled("Please do it without images", images="boolean") == {"images": False}
    assert filled("Anything", images="boolean") == {"images": False}


def test_lists_are_read_from_enumerations():
    text_list = {"type": "array", "items": {"type": "string"}}
    assert filled("Buy apples, pears and plums", items=text_list) == {"items": ["apples", "pears", "plums"]}
    assert filled("Sum 1, 2 and 3.5", n={"type": "array", "items": {"type": "number"}}) == {"n": [1, 2, 3.5]}


def test_nested_objects_and_references_are_followed():
    defs = {
        "Person": {
            "type": "object",
            "properties": {"name": {"type": "string"}, "age": {"type": "integer"}},
            "required": ["name", "age"],
        }
    }
    person = {"person": {"name": "Alice", "age": 30}}
    assert filled("Alice is 30 years old", defs=defs, person={"$ref": "#/$defs/Person"}) == person


def test_what_may_be_left_out_is_left_out_and_null_where_it_must_stand():
    nullable = {"anyOf": [{"type": "string"}, {"type": "null"}]}
    assert filled("Weather in Paris", required=["city"], city="string", unit="string") == {"city": "Paris"}
    assert filled("Weather in Paris", city="string", note=nullable) == {"city": "Paris", "note": None}
    assert filled("x", n={"type": "integer", "default": 5}) == {"n": 5}


def test_letters_of_all_scripts_come_through():
    text = "Create a customer named '你好啊集团' (Hello Group) - a Chinese technology company"
    expected = {"customer_name": "你好啊集团", "description": "(Hello Group) - a Chinese technology company"}
    assert filled(text, customer_name="string", description="string") == expected


def test_the_rest_of_the_text_is_the_last_resort():
    assert filled("Search the docs for rate limits", query="string") == {"query": "rate limits"}
    assert filled("hm", query="string") == {"query": "hm"}


def test_a_schema_that_contains_itself_comes_to_an_end():
    defs = {
        "Node": {
            "type": "object",
            "properties": {"name": {"type": "string"}, "child": {"$ref": "#/$defs/Node"}},
            "required": ["name", "child"],
        }
    }
    assert filled("Alice", defs=defs, node={"$ref": "#/$defs/Node"})["node"]["name"]
