import pytest

from workers_ai.local.brain import UNKNOWN, answer
from workers_ai.local.message import Message

LIGHTHOUSE = """file_path: docs/quenby.md

# Quenby

The Zorbl lighthouse stands on the island of Quenby. It was lit for the first time on 3 May 1887.
Its keeper is Marta Ulvestad, who lives there with
two goats. Visitors pay 14 crowns.

Q: Are dogs allowed?
A: No, they must stay at the pier.

The ferry leaves at 9:15 every day except Sunday."""


def langchain_prompt(question):
    text = f"Answer the question based only on the following context:\n{LIGHTHOUSE}\n\nQuestion: {question}\n"
    return [Message("user", text)]


def langchain_hub_prompt(question):
    text = (
        "Use the following pieces of retrieved context to answer. If you don't know, say so.\n"
        f"Question: {question} \nContext: {LIGHTHOUSE} \nAnswer:"
    )
    return [Message("user", text)]


def langchain_system_prompt(question):
    system = f"You are an assistant. Use the retrieved context to answer the question.\n\n{LIGHTHOUSE}"
    return [Message("system", system), Message("user", question)]


def tagged_prompt(question):
    return [Message("system", f"Answer from this.\n<context>\n{LIGHTHOUSE}\n</context>"), Message("user", question)]


def llama_index_prompt(question):
    line = "-" * 21
    text = (
        f"Context information is below.\n{line}\n{LIGHTHOUSE}\n{line}\nGiven the context information and not prior "
        f"knowledge, answer the query.\nQuery: {question}\nAnswer: "
    )
    return [Message("system", "You are an expert Q&A system. Always answer from the context."), Message("user", text)]


PROMPTS = [langchain_prompt, langchain_hub_prompt, langchain_system_prompt, tagged_prompt, llama_index_prompt]
FACTS = [
    ("When was the Zorbl lighthouse first lit?", "3 May 1887"),
    ("Who is the keeper of the lighthouse?", "Marta Ulvestad, who lives there with two goats"),
    ("How much do visitors pay?", "Visitors pay 14 crowns."),
    ("Are dogs allowed?", "No, they must stay at the pier."),
    ("When does the ferry leave?", "The ferry leaves at 9:15 every day except Sunday."),
]


@pytest.mark.parametrize("prompt", PROMPTS)
@pytest.mark.parametrize(("question", "fact"), FACTS)
def test_an_invented_fact_is_quoted_from_the_context(prompt, question, fact):
    assert fact in answer(prompt(question))
    assert "-----" not in answer(prompt(question))


@pytest.mark.parametrize("prompt", PROMPTS)
def test_what_the_context_does_not_say_is_not_known(prompt):
    assert answer(prompt("What is the capital of Mongolia?")) == UNKNOWN


def refine(question, existing, context):
    line = "-" * 12
    return [
        Message(
            "user",
            f"The original query is as follows: {question}\nWe have provided an existing answer: {existing}\n"
            "We have the opportunity to refine the existing answer (only if needed) with some more context below.\n"
            f"{line}\n{context}\n{line}\nGiven the new context, refine the original answer.\nRefined Answer: ",
        )
    ]


def test_a_refinement_takes_the_better_of_old_and_new():
    question, fact = FACTS[-1]
    assert answer(refine(question, "The lighthouse stands on Quenby.", LIGHTHOUSE)) == fact
    assert answer(refine(question, fact, "Bananas are yellow. A ferry is a ship.")) == fact
    assert answer(refine(question, fact, "Nothing of the kind.")) == fact
    assert answer(refine(question, UNKNOWN, LIGHTHOUSE)) == fact


def test_a_question_in_two_parts_gets_two_sentences():
    both = answer(langchain_prompt("What do visitors pay, and when does the ferry leave?"))
    assert "14 crowns" in both
    assert "9:15" in both


def test_the_result_of_a_tool_is_the_answer():
    chat = [Message("user", "Weather in Paris?"), Message("assistant", "[...]"), Message("tool", "21 degrees, sunny")]
    assert answer(chat) == "21 degrees, sunny"


def test_what_was_said_before_is_remembered():
    chat = [Message("user", "My name is Bob."), Message("assistant", "Hello"), Message("user", "What is my name?")]
    assert "Bob" in answer(chat)


def test_a_follow_up_goes_back_as_the_standalone_question():
    text = "Rewrite ...\n<Chat History>\nhi\n\n<Follow Up Message>\nWho keeps it?\n\n<Standalone question>\n"
    assert answer([Message("user", text)]) == "Who keeps it?"


@pytest.mark.parametrize(
    ("question", "expected"),
    [("Reply exactly with: Hello!", "Hello!"), ("What is 12 + 30?", "42"), ("Count to 3", "1, 2, 3")],
)
def test_a_few_requests_are_obeyed_to_the_letter(question, expected):
    assert answer([Message("system", "You are a helpful assistant."), Message("user", question)]) == expected


@pytest.mark.parametrize("question", ["Hello", "Write a poem about the sea", "", "?"])
def test_without_a_context_it_says_that_it_is_an_emulator(question):
    assert "local emulator" in answer([Message("user", question)])


def test_no_messages_break_nothing():
    assert answer([])
