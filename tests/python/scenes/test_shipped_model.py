"""The shipped model is the one its record describes, loads as any other model and passed its gates."""

import hashlib
import json

import pytest
import torch
from transformers import AutoModelForImageTextToText, AutoProcessor
from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil

from sticflow_ml.scenes.architecture import SHIPPED_MODEL, pixel_values
from sticflow_ml.scenes.describe_measures import read_description
from sticflow_ml.scenes.gates import (
    MIN_CAREFUL_F1,
    MIN_READING,
    MIN_ROOM,
    HeldOutScenes,
    Respondent,
    description_scores,
    question_accuracy,
)
from sticflow_ml.scenes.language import detailed_caption
from sticflow_ml.scenes.pretrain import FULL, record_folder
from sticflow_ml.scenes.prompts import load_prompts
from sticflow_ml.scenes.questions import questions_of_image
from sticflow_ml.scenes.render import render_image

RECORD = json.loads((record_folder(SHIPPED_MODEL) / "training.json").read_text())


@pytest.fixture(scope="module")
def processor():
    return AutoProcessor.from_pretrained(SHIPPED_MODEL)


@pytest.fixture(scope="module")
def respondent(processor):
    model = AutoModelForImageTextToText.from_pretrained(SHIPPED_MODEL, dtype=torch.float32)
    return Respondent(model, processor)


@pytest.fixture(scope="module")
def shown():
    scenes, images = zip(*(render_image("dev", index, 0) for index in range(32)), strict=True)
    questions = [
        (index, question)
        for index, scene in enumerate(scenes)
        for question in questions_of_image(scene, "dev", index, 0, number=5)
    ]
    return HeldOutScenes(list(scenes), list(images), questions)


def test_the_weights_are_the_recorded_ones():
    content = (SHIPPED_MODEL / "model.safetensors").read_bytes()

    assert hashlib.sha256(content).hexdigest() == RECORD["model_sha256"]


def test_the_folder_is_small_and_readable_by_all():
    files = [path for path in SHIPPED_MODEL.iterdir() if path.is_file()]

    assert sum(path.stat().st_size for path in files) <= 12e6
    assert all(path.stat().st_mode & 0o444 == 0o444 for path in files)


def test_the_record_is_of_a_full_run_that_saw_nothing_held_out():
    assert RECORD["schedule"] == {
        "tower": FULL.tower,
        "reading": FULL.reading,
        "grounding": FULL.grounding,
        "num_instructions": FULL.num_instructions,
        "num_gate_images": FULL.num_gate_images,
    }
    assert RECORD["num_held_out_images_seen"] == 0


def test_the_recorded_measures_pass_every_gate():
    measures = RECORD["measures"]

    assert measures["with_truth"] >= MIN_READING
    assert measures["careful"]["f1"] >= MIN_CAREFUL_F1
    assert measures["careful"]["f1"] - measures["plain"]["f1"] >= MIN_ROOM
    assert measures["with_careful"] - measures["direct"] >= MIN_ROOM
    assert measures["with_plain"] < measures["direct"]
    assert [gate["passed"] for gate in RECORD["gates"]] == [True] * 5


def test_the_image_backend_is_pinned(processor):
    config = json.loads((SHIPPED_MODEL / "processor_config.json").read_text())

    assert config["image_processor"]["image_processor_type"] == "CLIPImageProcessorPil"
    assert isinstance(processor.image_processor, CLIPImageProcessorPil)


def test_the_processor_prepares_pixels_as_the_pre_training_did(processor, shown):
    prepared = processor.image_processor(shown.images[:4], return_tensors="pt")["pixel_values"]

    torch.testing.assert_close(prepared, pixel_values(shown.images[:4]), atol=1e-6, rtol=0)


def test_it_describes_carefully_when_asked_with_the_papers_prompt(respondent, shown):
    texts = respondent.answer(
        shown.images,
        [load_prompts().well_crafted] * len(shown.images),
        max_new_tokens=96,
    )

    assert all(text.startswith("There ") and read_description(text).objects for text in texts)
    assert (
        description_scores(shown.scenes, texts).f1 >= 0.75
    )  # 32 pictures: .83 less two standard errors


def test_it_reads_a_true_description(respondent, shown):
    truth = [detailed_caption(scene) for scene in shown.scenes]

    assert question_accuracy(respondent, load_prompts(), shown, descriptions=truth) >= MIN_READING


def test_generation_stops_by_itself_without_any_setting(respondent, processor, shown):
    prompt = processor.apply_chat_template(
        [
            {
                "role": "user",
                "content": [
                    {"type": "image"},
                    {"type": "text", "text": "What shape is blue?"},
                ],
            }
        ],
        add_generation_prompt=True,
    )
    inputs = processor(images=shown.images[:1], text=prompt, return_tensors="pt")

    output = respondent._model.generate(**inputs)

    assert output[0, -1] == processor.tokenizer.eos_token_id
    assert output.shape[1] - inputs["input_ids"].shape[1] <= 8
