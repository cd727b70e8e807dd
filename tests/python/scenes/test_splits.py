"""No picture is in two splits; the instruction set is part of the pre-training by design."""

from itertools import combinations

import numpy as np
import pytest

from sticflow_ml.scenes.architecture import SHIPPED_MODEL
from sticflow_ml.scenes.curriculum import grounding_steps
from sticflow_ml.scenes.data import NUM_DEV, NUM_INSTRUCTIONS, NUM_TEST
from sticflow_ml.scenes.pretrain import FULL, SEEN_IMAGES_FILE, record_folder, short_hash
from sticflow_ml.scenes.render import render_image

SIZES = {
    "unlabelled": 480,
    "instructions": NUM_INSTRUCTIONS,
    "dev": NUM_DEV,
    "test": NUM_TEST,
    "gates": 240,
}


@pytest.fixture(scope="module")
def hashes():
    """Short pixel hashes of every picture of every split but the pre-training's own."""
    return {
        split: {short_hash(render_image(split, index, 0)[1]) for index in range(number)}
        for split, number in SIZES.items()
    }


@pytest.fixture(scope="module")
def seen():
    """Short pixel hashes of every picture that the shipped model's pre-training showed, noted while it ran."""
    return set(np.load(record_folder(SHIPPED_MODEL) / SEEN_IMAGES_FILE).tolist())


def test_every_picture_of_a_split_is_unique(hashes):
    assert {split: len(found) for split, found in hashes.items()} == SIZES


@pytest.mark.parametrize("pair", list(combinations(SIZES, 2)), ids="-".join)
def test_two_splits_share_no_picture(hashes, pair):
    first, second = pair

    assert not hashes[first] & hashes[second]


@pytest.mark.parametrize("split", ["unlabelled", "dev", "test", "gates"])
def test_the_pre_training_saw_no_held_out_picture(hashes, seen, split):
    assert not hashes[split] & seen


def test_the_pre_training_saw_every_picture_of_the_instruction_set(hashes, seen):
    assert hashes["instructions"] <= seen


def test_the_list_of_seen_pictures_is_of_the_pictures_that_the_schedule_names(seen):
    steps = list(grounding_steps(FULL.grounding, FULL.num_instructions))
    sample = [(*image, step.num_objects) for step in steps[::100] for image in step.images[:8]]
    rendered = {
        short_hash(render_image(split, index, 0, num_objects=number)[1])
        for split, index, number in sample
    }
    tower = {
        short_hash(render_image("tower", index, 0)[1]) for index in range(0, FULL.tower * 64, 997)
    }

    assert rendered | tower <= seen


def test_the_schedule_shows_each_instruction_image_once():
    shown = [
        index
        for step in grounding_steps(FULL.grounding, FULL.num_instructions)
        for split, index in step.images
        if split == "instructions"
    ]

    assert shown == list(range(NUM_INSTRUCTIONS))
