"""Whatever the schema and the text: an instance fits, a call fits, and nothing raises."""

from hypothesis import given
from hypothesis import strategies as st

from workers_ai.local.message import Message
from workers_ai.local.schema_instances import of
from workers_ai.local.tool_choice import choose
from workers_ai.local.tools import Tool, ToolChoice

KINDS = {"string": str, "integer": int, "number": int | float, "boolean": bool, "array": list, "null": type(None)}
LEAF = st.one_of(
    st.sampled_from([{"type": kind} for kind in ("string", "integer", "number", "boolean", "null")]),
    st.sampled_from([{"type": "string", "maxLength": 3}, {"type": "integer", "minimum": 5, "maximum": 6}]),
    st.sampled_from([{"enum": ["a", "b"]}, {"anyOf": [{"type": "integer"}, {"type": "null"}]}, {"$ref": "#/$defs/N"}]),
)
NAMES = st.sampled_from(["city", "a", "query", "date", "n", "is_ok", "tags", "origin", "to", "user_name", "", "größe"])
OBJECT = st.recursive(
    LEAF,
    lambda inner: st.one_of(
        inner.map(lambda items: {"type": "array", "items": items, "minItems": 1, "maxItems": 2}),
        st.dictionaries(NAMES, inner, max_size=4).map(lambda ps: {"type": "object", "properties": ps}),
    ),
    max_leaves=6,
)
SCHEMA = st.dictionaries(NAMES, OBJECT, max_size=4).map(
    lambda ps: {"type": "object", "properties": ps, "required": list(ps), "$defs": {"N": {"type": "integer"}}}
)
WORDS = """weather in Paris and London , San Francisco, CA 3 5 'quoted' "q" use the tool city: Rome is ; then multiply
(x=3) 你好 tomorrow bob@x.org no images a=1 ( . ? - {"a":1} {{ respond in JSON with keys Question: Context:""".split()
TEXT = st.lists(st.sampled_from(WORDS), max_size=12).map(" ".join)


def fits(value, schema):
    if "$ref" in schema:
        return isinstance(value, int)
    if "anyOf" in schema:
        return any(fits(value, branch) for branch in schema["anyOf"])
    if "enum" in schema:
        return value in schema["enum"]
    if schema["type"] == "object":
        return all(fits(value[name], schema["properties"][name]) for name in schema.get("required", value))
    if not isinstance(value, KINDS[schema["type"]]) or (isinstance(value, bool) and schema["type"] != "boolean"):
        return False
    if schema["type"] == "array":
        return 1 <= len(value) <= 2 and all(fits(item, schema["items"]) for item in value)
    if schema["type"] == "string":
        return len(value) <= schema.get("maxLength", len(value))
    return schema.get("minimum", value) <= value <= schema.get("maximum", value) if "minimum" in schema else True


@given(SCHEMA, TEXT)
def test_an_instance_fits_its_schema(schema, text):
    assert fits(of(schema, [Message("user", text)], lambda messages: ""), schema)


@given(SCHEMA, SCHEMA, TEXT, st.sampled_from(["auto", "required"]))
def test_a_call_fits_its_tool(first, second, text, mode):
    tools = [Tool("get_weather", "Get the weather.", first), Tool("multiply", "Multiply.", second)]
    calls = choose(tools, ToolChoice(mode), [Message("user", text)])
    assert calls or mode == "auto"
    for call in calls:
        assert fits(call.arguments, first if call.name == "get_weather" else second)
