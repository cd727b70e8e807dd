"""Evaluation of the embedded model beside one question at a time; prints one line of JSON.

    PYTHONPATH=python:bench/python .venv/bin/python -m evaluation

Five questions and a description of every picture, then the questions again with the description in
front. The peer asks as the scripts of LLaVA and STIC do: one at a time, the picture processed and
encoded anew for each. Exits with 1 when an answer differs.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Callable
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from generation import official_loop, ours
from measure import Cost, cpu_seconds, device_name, fastest_ratio, measured, median_ratio, summary
from product import as_loaded
from transformers import AutoModelForImageTextToText, AutoProcessor

from sticflow_ml.scenes.architecture import SHIPPED_MODEL
from sticflow_ml.scenes.questions import questions_of_image
from sticflow_ml.scenes.render import render_image

# STIC 993734e, llava/eval/model_vqa_mmbench_dar.py:89 and :116-133.
DESCRIPTION_PROMPT = "Detail the composition and subjects within the frame."
WITH_DESCRIPTION = "Image description:\n{description}\n\n{question}"
QUESTIONS = 5
MAX_NEW_TOKENS = 96  # as config/scenes.yaml

Asked = list[tuple[Path, str]]
Write = Callable[[Asked], list[list[int]]]


def main() -> int:
    """Run the benchmark."""
    options = _options()
    torch.set_num_threads(options.threads)
    model = AutoModelForImageTextToText.from_pretrained(SHIPPED_MODEL, dtype=torch.float32)
    processor = AutoProcessor.from_pretrained(SHIPPED_MODEL)
    loaded = as_loaded(model, processor)
    shared = {"max_new_tokens": MAX_NEW_TOKENS}
    sides: dict[str, Write] = {
        "one_at_a_time": partial(official_loop.write_texts, model, processor, **shared),
        "ours": partial(ours.write_all, loaded, max_rows=options.rows, **shared),
    }
    with tempfile.TemporaryDirectory(prefix="evaluation-") as folder:
        asked = _write_pictures(options.images, Path(folder))
        for write in sides.values():
            _evaluate(write, asked[:1], loaded.chat.decode)  # warms up
        costs: dict[str, list[Cost]] = {name: [] for name in sides}
        answers: dict[str, list[str]] = {}
        for number in range(options.rounds):
            for name in sorted(sides, reverse=number % 2 == 0):
                work = partial(_evaluate, sides[name], asked, loaded.chat.decode)
                answers[name], cost = measured(work, device="cpu")
                costs[name].append(cost)
    num_equal = sum(one == other for one, other in zip(*answers.values(), strict=True))
    print(json.dumps(_report(options, costs, answers, num_equal)))  # noqa: T201 - the output
    return 1 if num_equal < len(answers["ours"]) else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="evaluation")
    parser.add_argument("--images", type=int, default=24)
    parser.add_argument("--rows", type=int, default=32, help="texts that ours writes at once")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    return parser.parse_args()


def _write_pictures(number: int, folder: Path) -> list[tuple[Path, list[str]]]:
    pictures: list[tuple[Path, list[str]]] = []
    for index in range(number):
        scene, image = render_image("test", index, 0)
        path = folder / f"{index}.png"
        image.save(path)
        questions = questions_of_image(scene, "test", index, 0, number=QUESTIONS)
        pictures.append((path, [question.text for question in questions]))
    return pictures


def _evaluate(
    write: Write, pictures: list[tuple[Path, list[str]]], decode: Callable[[list[int]], str]
) -> list[str]:
    """Descriptions, direct answers, answers with the description in front."""
    describe = [(path, DESCRIPTION_PROMPT) for path, _ in pictures]
    direct = [(path, question) for path, questions in pictures for question in questions]
    first = [decode(ids) for ids in write(describe + direct)]
    descriptions = first[: len(pictures)]
    with_description = [
        (path, WITH_DESCRIPTION.format(description=description, question=question))
        for (path, questions), description in zip(pictures, descriptions, strict=True)
        for question in questions
    ]
    return first + [decode(ids) for ids in write(with_description)]


def _report(
    options: argparse.Namespace,
    costs: dict[str, list[Cost]],
    answers: dict[str, list[str]],
    num_equal: int,
) -> dict[str, Any]:
    peer, mine = costs["one_at_a_time"], costs["ours"]
    return {
        "name": "eval",
        "peer": f"transformers {version('transformers')}, generate for one question at a time",
        "ratio": fastest_ratio(peer, mine),
        "details": {
            "ratio_median": median_ratio(peer, mine),
            "ratio_cpu_time": median_ratio(peer, mine, cpu_seconds),
            "texts": len(answers["ours"]),
            "texts_equal": num_equal,
            "sides": {name: summary(of) for name, of in costs.items()},
            **vars(options),
            "device": device_name("cpu"),
            "versions": {name: version(name) for name in ("torch", "transformers")},
        },
    }


if __name__ == "__main__":
    sys.exit(main())
