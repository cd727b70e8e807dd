"""Captions keep to the grammar of docs/scenes.md and can be read back; questions have one right answer."""

import random
import re

import pytest

from sticflow_ml.scenes.describe_measures import (
    count_claims,
    read_description,
    score_descriptions,
)
from sticflow_ml.scenes.language import (
    detailed_caption,
    invented_caption,
    plain_caption,
    shown_caption,
    web_caption,
)
from sticflow_ml.scenes.questions import (
    QUESTION_TYPES,
    ask,
    ask_place,
    questions_of_image,
)
from sticflow_ml.scenes.world import Scene, SceneObject, sample_scene

SCENES = [sample_scene("dev", index, 0) for index in range(200)]
OBJECT = r"[a-z-]+: a (small|large) [a-z]+ [a-z]+\."
WEB = rf"The image shows {OBJECT}( {OBJECT})*"


def true_kinds(scene):
    return {item.kind for item in scene.objects}


def test_the_detailed_caption_reads_as_the_docs_say():
    scene = Scene(
        (
            SceneObject("cross", "red", "large", "top-left"),
            SceneObject("ring", "orange", "large", "top"),
        ),
        "striped",
    )

    assert detailed_caption(scene) == (
        "There are 2 objects. top-left: a large red cross. top: a large orange ring. The background is striped."
    )
    assert (
        shown_caption(scene)
        == "The image shows top-left: a large red cross. top: a large orange ring."
    )


def test_one_object_is_counted_in_the_singular():
    assert detailed_caption(Scene((SceneObject("star", "blue", "small", "center"),), "plain")) == (
        "There is 1 object. center: a small blue star. The background is plain."
    )


def test_a_detailed_caption_reads_back_as_the_scene():
    for scene in SCENES:
        read = read_description(detailed_caption(scene))

        assert [(m.shape, m.color, m.size, m.position) for m in read.objects] == [
            (item.shape, item.color, item.size, item.position) for item in scene.objects
        ]
        assert read.things == ()


def test_every_style_keeps_to_its_grammar():
    rng = random.Random(1)
    for scene in SCENES:
        assert re.fullmatch(
            rf"There (is 1 object|are \d objects)\. {OBJECT}( {OBJECT})* The background is [a-z]+\.",
            detailed_caption(scene),
        )
        assert re.fullmatch(WEB, web_caption(scene, rng))
        assert re.fullmatch(
            rf"{WEB}( There is a [a-z]+ nearby\.){{0,2}}", invented_caption(scene, rng)
        )
        assert plain_caption(scene, rng).startswith(("The image shows", "There "))


def test_bad_prompts_are_always_answered_with_something_that_is_not_there():
    rng = random.Random(2)

    assert all(
        count_claims(invented_caption(scene, rng), true_kinds(scene)).hallucinated
        for scene in SCENES
    )


def test_web_captions_are_careless_and_detailed_ones_are_not():
    rng = random.Random(3)
    web = score_descriptions(
        [count_claims(web_caption(scene, rng), true_kinds(scene)) for scene in SCENES]
    )
    detailed = score_descriptions(
        [count_claims(detailed_caption(scene), true_kinds(scene)) for scene in SCENES]
    )

    # Not dropped .8; color right .92 * (1 - 2/8 * .65); shape right .92 * (1 - 1/6 * .65)
    assert web.recall == pytest.approx(0.8 * 0.77 * 0.82, abs=0.06)
    assert web.hallucination > 0.5
    assert (
        detailed.precision,
        detailed.recall,
        detailed.f1,
        detailed.hallucination,
    ) == (
        1,
        1,
        1,
        0,
    )


def answer_by_looking(question, scene):
    """Answer from the scene and the question's words alone, another way than the generator does."""
    words = question.rstrip("?").split()
    named = [item for item in scene.objects if item.shape in words and item.color in words]
    if question.startswith("How many"):
        return str(len(scene.objects))
    if question.startswith("Is there"):
        return "yes" if named else "no"
    if question.startswith("Where"):
        return named[0].position
    if question.startswith("What size"):
        return named[0].size
    if question.startswith("What color"):
        (item,) = [item for item in scene.objects if item.shape == words[-1]]
        return item.color
    if question.startswith("What shape"):
        (item,) = [item for item in scene.objects if item.color == words[-1]]
        return item.shape
    raise AssertionError(f"no such question: {question}")


def test_every_question_has_one_answer_and_it_is_the_given_one():
    for index, scene in enumerate(SCENES):
        for question in questions_of_image(scene, "dev", index, 0, number=5):
            assert answer_by_looking(question.text, scene) == question.answer


def test_an_image_is_asked_different_questions_of_all_types_over_time():
    types = set()
    for index, scene in enumerate(SCENES):
        asked = questions_of_image(scene, "dev", index, 0, number=5)
        assert len({question.text for question in asked}) == len(asked) == 5
        types |= {question.type for question in asked}

    assert types == set(QUESTION_TYPES)


def test_yes_and_no_are_equally_frequent():
    rng = random.Random(4)
    answers = [ask("exist", scene, rng).answer for scene in SCENES for _ in range(5)]

    assert answers.count("yes") / len(answers) == pytest.approx(0.5, abs=0.07)


def test_place_questions_are_answered_with_the_object_or_nothing():
    rng = random.Random(5)
    for scene in SCENES:
        question = ask_place(scene, rng)
        position = question.text.removeprefix("What is at the ").rstrip("?")
        there = [item for item in scene.objects if item.position == position]
        wanted = f"a {there[0].size} {there[0].color} {there[0].shape}" if there else "nothing"
        assert question.answer == wanted
