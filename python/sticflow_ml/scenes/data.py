"""Write the world as files like any user's: images, an instruction set in LLaVA's format, questions and truth.

Called by `python -m sticflow_ml.scenes build`; needs no torch. The folder appears under its name only when it is complete.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from sticflow_ml.scenes.questions import QUESTIONS_PER_INSTRUCTION, Question, questions_of_image
from sticflow_ml.scenes.render import render_image
from sticflow_ml.scenes.world import Scene

FORMAT_VERSION = 1
MANIFEST = "manifest.json"
NUM_INSTRUCTIONS = 640  # the pre-training shows each of them once: `curriculum.grounding_steps`
NUM_DEV, NUM_TEST = 120, 240
QUESTIONS_PER_EVALUATION_IMAGE = 5
PNG_COMPRESSION = (
    zlib.Z_HUFFMAN_ONLY
)  # noise holds no repeats: measured smaller and faster than level 1 to 6


@dataclass(frozen=True)
class DataSettings:
    """What the bytes of a data set depend on."""

    seed: int
    num_unlabelled: int

    def as_json(self) -> dict[str, int]:
        """Return the settings as they stand in the manifest."""
        return {"version": FORMAT_VERSION, "seed": self.seed, "images": self.num_unlabelled}


class DataFolderError(ValueError):
    """The output folder holds something else than the data set that was asked for."""


def build(out: Path, settings: DataSettings) -> str:
    """Write the data set to `out`, or verify the one that is there; return "built" or "already complete".

    Raises:
        DataFolderError: `out` holds other files, other settings or damaged files.
    """
    if out.exists() and any(out.iterdir()):
        verify(out, settings)
        return "already complete"
    out.parent.mkdir(parents=True, exist_ok=True)
    partial = Path(tempfile.mkdtemp(prefix=f".{out.name}.", dir=out.parent))
    try:
        _write(partial, settings)
        partial.chmod(0o755)  # mkdtemp makes it private
        try:
            os.replace(partial, out)
        except OSError:
            verify(out, settings)  # another build of the same set was quicker
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return "built"


def verify(out: Path, settings: DataSettings) -> None:
    """Check that `out` is the data set of these settings, byte for byte as its manifest says.

    Raises:
        DataFolderError: It is not; the message names the first difference.
    """
    remedy = "Name another folder with --out, or delete this one."
    try:
        manifest = json.loads((out / MANIFEST).read_text())
    except (OSError, ValueError) as error:
        raise DataFolderError(
            f"Expected `--out` to be a new folder or a finished data set, got {out} without a readable {MANIFEST}. {remedy}"
        ) from error
    if manifest["settings"] != settings.as_json():
        raise DataFolderError(
            f"Expected the data set in {out} to have settings {settings.as_json()}, got {manifest['settings']}. {remedy}"
        )
    for name, expected in manifest["files"].items():
        path = out / name
        if not path.is_file() or _sha256(path.read_bytes()) != expected["sha256"]:
            raise DataFolderError(
                f"Expected {path} as the manifest lists it, got a missing or changed file. {remedy}"
            )


def image_name(split: str, index: int) -> str:
    """Return an image's name relative to `images/`."""
    return f"{split}/{index:05d}.png"


def instruction_record(index: int, questions: list[Question]) -> dict[str, object]:
    """Return one conversation in LLaVA's format; the image stands before the first question."""
    turns: list[dict[str, str]] = []
    for number, question in enumerate(questions):
        image_mark = "<image>\n" if number == 0 else ""
        turns.append({"from": "human", "value": image_mark + question.text})
        turns.append({"from": "gpt", "value": question.answer})
    return {
        "id": f"instructions-{index:05d}",
        "image": image_name("instructions", index),
        "conversations": turns,
    }


class _Writer:
    """Writes files below one folder and keeps their hashes for the manifest."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.files: dict[str, dict[str, object]] = {}

    def write(self, name: str, content: bytes) -> None:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        self.files[name] = {"sha256": _sha256(content), "bytes": len(content)}

    def write_lines(self, name: str, rows: Iterable[object]) -> None:
        self.write(name, "".join(json.dumps(row) + "\n" for row in rows).encode())

    def write_image(self, split: str, index: int, seed: int) -> Scene:
        scene, image = render_image(split, index, seed)
        path = self.root / "images" / image_name(split, index)
        path.parent.mkdir(parents=True, exist_ok=True)
        image.save(path, compress_type=PNG_COMPRESSION)
        content = path.read_bytes()
        self.files[f"images/{image_name(split, index)}"] = {
            "sha256": _sha256(content),
            "bytes": len(content),
        }
        return scene


def _write(root: Path, settings: DataSettings) -> None:
    writer = _Writer(root)
    for index in range(settings.num_unlabelled):
        writer.write_image("unlabelled", index, settings.seed)
    _write_instructions(writer, settings.seed)
    for split, number in (("dev", NUM_DEV), ("test", NUM_TEST)):
        _write_evaluation(writer, split, number, settings.seed)
    manifest = {"settings": settings.as_json(), "files": dict(sorted(writer.files.items()))}
    (root / MANIFEST).write_text(json.dumps(manifest, indent=1) + "\n")


def _write_instructions(writer: _Writer, seed: int) -> None:
    records = []
    for index in range(NUM_INSTRUCTIONS):
        scene = writer.write_image("instructions", index, seed)
        questions = questions_of_image(
            scene, "instructions", index, seed, number=QUESTIONS_PER_INSTRUCTION
        )
        records.append(instruction_record(index, questions))
    writer.write("instructions.json", (json.dumps(records, indent=1) + "\n").encode())


def _write_evaluation(writer: _Writer, split: str, number: int, seed: int) -> None:
    question_rows, truth_rows = [], []
    for index in range(number):
        scene = writer.write_image(split, index, seed)
        image = image_name(split, index)
        truth_rows.append({"image": image, **scene.truth()})
        questions = questions_of_image(
            scene, split, index, seed, number=QUESTIONS_PER_EVALUATION_IMAGE
        )
        question_rows += [
            {
                "question_id": f"{split}-{index:05d}-{place}",
                "image": image,
                "question": question.text,
                "answer": question.answer,
                "question_type": question.type,
            }
            for place, question in enumerate(questions)
        ]
    writer.write_lines(f"questions-{split}.jsonl", question_rows)
    writer.write_lines(f"truth-{split}.jsonl", truth_rows)


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
