"""Packed exercises give what each would give alone; binding labels say what was read so far."""

import random

import pytest
import torch

from sticflow_ml.scenes.architecture import build_model
from sticflow_ml.scenes.binding import DescriptionLabeller, key_labels, patch_labels
from sticflow_ml.scenes.lessons import Lessons
from sticflow_ml.scenes.packing import IGNORED, Row, pack
from sticflow_ml.scenes.prompts import load_prompts
from sticflow_ml.scenes.tokenizer import train_tokenizer
from sticflow_ml.scenes.world import POSITIONS, Scene, SceneObject, sample_scene

_ = IGNORED


@pytest.fixture(scope="module")
def tokenizer():
    return train_tokenizer(load_prompts())


@pytest.fixture(scope="module")
def language_model(tokenizer):
    torch.manual_seed(0)
    return build_model(tokenizer).model.language_model.eval()


def practice_row(tokenizer):
    """A text, conversations about it, and below one of them a second text: a tree of three levels."""
    rng = random.Random(0)
    lessons = Lessons(tokenizer)
    first, second = sample_scene("dev", 0, 0), sample_scene("dev", 1, 0)
    row = Row([lessons.text_root(first, rng)])
    for segment in lessons.reading_questions(first, 4, rng):
        row.add(segment)
    inner = row.add(lessons.text_under_image(second, rng))
    for segment in lessons.reading_questions(second, 3, rng, parent=inner):
        row.add(segment)
    return row


@torch.no_grad()
def test_every_segment_is_computed_as_if_it_stood_alone_behind_its_parents(
    tokenizer, language_model
):
    row = practice_row(tokenizer)
    short = Row([Lessons(tokenizer).text_root(sample_scene("dev", 2, 0), random.Random(1))])
    batch = pack([row, short], pad_token=tokenizer.pad_token_id)
    packed = language_model(
        inputs_embeds=language_model.embed_tokens(batch.tokens_BT),
        attention_mask=batch.visible_B1TT,
        position_ids=batch.positions_BT,
    ).last_hidden_state[0]

    begin = 0
    for segment in row.segments:
        path, parent = list(segment.tokens), segment.parent
        while parent >= 0:
            path = row.segments[parent].tokens + path
            parent = row.segments[parent].parent
        alone = language_model(input_ids=torch.tensor([path])).last_hidden_state[
            0, -len(segment.tokens) :
        ]
        torch.testing.assert_close(
            packed[begin : begin + len(segment.tokens)], alone, atol=1e-4, rtol=0
        )
        begin += len(segment.tokens)


def test_targets_are_the_answers_with_their_end_and_nothing_else(tokenizer):
    scene = Scene((SceneObject("star", "blue", "small", "center"),), "plain")
    lessons = Lessons(tokenizer)
    segment = lessons.caption(
        "Illustrate the details of the picture.",
        "center: a small blue star.",
        weight=0.5,
    )
    row = Row([lessons.text_root(scene, random.Random(0)), segment])

    batch = pack([row], pad_token=tokenizer.pad_token_id)

    assert tokenizer.decode(batch.targets_N) == " center: a small blue star.</s>"
    assert batch.weights_N.tolist() == [0.5] * len(batch.targets_N)
    before_first = batch.tokens_BT.flatten()[batch.predictors_N[0]]
    assert tokenizer.decode([before_first]) == ":"


def test_a_token_is_bound_to_what_was_read_of_its_object(tokenizer):
    tokens = tokenizer.encode(" There is 1 object. center: a small blue star. top:")
    labels = DescriptionLabeller(tokenizer).labels(tokens)

    # position center = 4, size small = 0, color blue = 2, shape star = 3, top = 1
    assert labels[:5] == [(_, _, _, _)] * 5
    assert labels[5:] == [
        (4, _, _, _),  # center
        (4, _, _, _),  # :
        (4, _, _, _),  # a
        (4, 0, _, _),  # small
        (4, 0, 2, _),  # blue
        (4, 0, 2, 3),  # star
        (4, 0, 2, 3),  # .
        (1, _, _, _),  # top
        (1, _, _, _),  # :
    ]


def test_a_question_is_bound_to_its_key():
    assert key_labels((("color", "red"), ("shape", "cross"))) == (_, _, 0, 4)
    assert key_labels(()) == (_, _, _, _)


def test_the_four_patches_of_a_cell_carry_its_object():
    scene = Scene((SceneObject("ring", "white", "large", "top-right"),), "plain")

    labels = patch_labels(scene).reshape(6, 6, 4)

    assert labels[:2, 4:].reshape(4, 4).tolist() == [[POSITIONS.index("top-right"), 1, 7, 5]] * 4
    assert (labels != _).any(-1).sum() == 4
