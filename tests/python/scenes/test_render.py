"""Pictures are a pure function of their key, and the truth says what is in them."""

from collections import Counter

import pytest

from sticflow_ml.scenes.render import pixel_hash, render, render_image
from sticflow_ml.scenes.world import (
    COLORS,
    IMAGE_SIZE_PIXELS,
    POSITIONS,
    SHAPES,
    Scene,
    SceneObject,
    sample_scene,
    stream,
)


def test_same_key_gives_the_same_pixels():
    first_scene, first = render_image("dev", 7, 0)
    second_scene, second = render_image("dev", 7, 0)

    assert first_scene == second_scene
    assert first.tobytes() == second.tobytes()
    assert first.size == (IMAGE_SIZE_PIXELS, IMAGE_SIZE_PIXELS)


@pytest.mark.parametrize("key", [("dev", 8, 0), ("test", 7, 0), ("dev", 7, 1)])
def test_any_other_key_gives_another_picture(key):
    assert pixel_hash(render_image(*key)[1]) != pixel_hash(render_image("dev", 7, 0)[1])


def test_scenes_do_not_depend_on_what_was_sampled_before():
    alone = sample_scene("test", 3, 0)
    for index in range(3):
        sample_scene("test", index, 0)

    assert sample_scene("test", 3, 0) == alone


def test_the_world_is_the_one_that_the_shipped_model_was_trained_on():
    # Written down when the model was made: a change of the sampling makes every measure of it incomparable.
    scene = sample_scene("dev", 0, 0)

    assert scene.background == "striped"
    assert [(item.position, item.size, item.color, item.shape) for item in scene.objects] == [
        ("top-right", "small", "red", "circle"),
        ("left", "large", "yellow", "triangle"),
        ("right", "large", "blue", "star"),
        ("bottom-right", "large", "yellow", "ring"),
    ]


def test_kinds_and_places_are_unique_in_a_scene_and_objects_are_in_reading_order():
    for index in range(300):
        objects = sample_scene("test", index, 0).objects
        places = [POSITIONS.index(item.position) for item in objects]

        assert 1 <= len(objects) <= 4
        assert len({item.kind for item in objects}) == len(objects)
        assert places == sorted(set(places))


def test_scenes_have_the_stated_numbers_of_objects():
    counts = Counter(len(sample_scene("unlabelled", index, 0).objects) for index in range(4000))

    # 10, 30, 35, 25 % with a standard error of at most .76 %: four of them as tolerance
    for number, share in {1: 0.10, 2: 0.30, 3: 0.35, 4: 0.25}.items():
        assert counts[number] / 4000 == pytest.approx(share, abs=0.031)


@pytest.mark.parametrize("color", COLORS)
def test_the_middle_of_a_filled_shape_has_its_color(color):
    from sticflow_ml.scenes.render import COLOR_JITTER, NOISE_SIGMA, RGB

    scene = Scene((SceneObject("circle", color, "large", "center"),), "plain")
    image = render(scene, stream("pixels", "dev", 0, 0))

    middle = image.crop((44, 44, 52, 52)).resize((1, 1), 4).getpixel((0, 0))
    tolerance = COLOR_JITTER + NOISE_SIGMA[1]
    assert all(
        abs(got - wanted) <= tolerance for got, wanted in zip(middle, RGB[color], strict=True)
    )


@pytest.mark.parametrize("shape", SHAPES)
def test_large_objects_cover_more_than_small_ones(shape):
    import numpy as np

    def covered(size):
        scene = Scene((SceneObject(shape, "white", size, "center"),), "plain")
        pixels = np.asarray(render(scene, stream("pixels", "dev", 0, 0)))
        return int((pixels.min(axis=2) > 190).sum())

    assert covered("large") > 1.5 * covered("small")


def test_an_unknown_split_is_named():
    with pytest.raises(ValueError, match=r"Expected `split` to be one of .*, got 'train'"):
        sample_scene("train", 0, 0)
