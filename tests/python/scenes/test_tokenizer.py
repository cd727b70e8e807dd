"""Words of the world are single tokens; every text survives encoding and decoding."""

import pytest

from sticflow_ml.scenes.language import THINGS
from sticflow_ml.scenes.prompts import load_prompts
from sticflow_ml.scenes.tokenizer import train_tokenizer
from sticflow_ml.scenes.world import BACKGROUNDS, COLORS, POSITIONS, SHAPES, SIZES

WORDS = [
    *POSITIONS,
    *SHAPES,
    *COLORS,
    *SIZES,
    *BACKGROUNDS,
    *THINGS,
    "yes",
    "no",
    "1",
    "2",
    "3",
    "4",
]


@pytest.fixture(scope="module")
def prompts():
    return load_prompts()


@pytest.fixture(scope="module")
def tokenizer(prompts):
    return train_tokenizer(prompts)


def test_each_word_of_the_world_is_one_token(tokenizer):
    assert [word for word in WORDS if len(tokenizer.encode(f" {word}")) != 1] == []


def test_prompts_cost_about_one_token_a_word(tokenizer, prompts):
    num_tokens = len(tokenizer.encode(prompts.well_crafted))

    assert num_tokens <= 1.35 * len(prompts.well_crafted.split())  # punctuation is apart


@pytest.mark.parametrize(
    "text",
    [
        "There are 2 objects. top-left: a large red cross.",
        "two\n\nbreaks\tand  spaces ",
        "\u041f\u0440\u0438\u0432\u0435\u0442, \u65e5\u672c\u8a9e, na\u00efve \u2014 \U0001f600",
        "a\u0301 combining, \u200bzero width, \ufeff mark",
        "".join(map(chr, range(32, 127))),
        "123 4567 8.9",
    ],
)
def test_any_text_round_trips(tokenizer, text):
    assert tokenizer.decode(tokenizer.encode(text)) == text


def test_a_description_is_cut_at_the_same_places_alone_and_in_a_prompt(tokenizer, prompts):
    description, question = (
        "There is 1 object. center: a small blue star.",
        "What shape is blue?",
    )
    whole = prompts.question_template.format(description=description, question=question)

    pieces = ["Image description:", "\n", description, "\n", "\n", question]
    assert tokenizer.encode(whole) == [
        token for piece in pieces for token in tokenizer.encode(piece)
    ]


def test_training_again_gives_the_same_tokenizer(tokenizer, prompts):
    assert (
        train_tokenizer(prompts).backend_tokenizer.to_str() == tokenizer.backend_tokenizer.to_str()
    )


def test_the_chat_template_renders_turns_as_they_were_trained(tokenizer):
    turns = [
        {
            "role": "user",
            "content": [
                {"type": "image"},
                {"type": "text", "text": "What shape is blue?"},
            ],
        },
        {"role": "assistant", "content": "star"},
        {"role": "user", "content": "How many objects are there?"},
    ]

    assert tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=True) == (
        "<s>USER: <image>\nWhat shape is blue? ASSISTANT: star</s>USER: How many objects are there? ASSISTANT:"
    )
