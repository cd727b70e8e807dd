"""Make the base model from nothing: tower, reading, grounding, gates, files. Interrupted, it goes on after the last whole phase.

The same seed gives the same bytes on the same machine type with the same packages: one thread by default, every draw
from a stream named by (phase, seed), every phase started from its own torch seed.
"""

from __future__ import annotations

import hashlib
import json
import logging
import platform
import random
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import safetensors.torch
import torch
import transformers
from PIL import Image
from transformers import LlavaForConditionalGeneration

from sticflow_ml.scenes.architecture import HIDDEN, build_model, build_processor, save
from sticflow_ml.scenes.binding import BindingHeads
from sticflow_ml.scenes.data import NUM_DEV, NUM_INSTRUCTIONS, NUM_TEST
from sticflow_ml.scenes.gates import BaseMeasures, Respondent, held_out, measure_base
from sticflow_ml.scenes.grounding import Grounding, train_grounding
from sticflow_ml.scenes.prompts import PROMPT_FILE, load_prompts
from sticflow_ml.scenes.reading import train_reading
from sticflow_ml.scenes.render import pixel_hash, render_image
from sticflow_ml.scenes.tokenizer import train_tokenizer
from sticflow_ml.scenes.tower import train_tower
from sticflow_ml.scenes.world import Scene

log = logging.getLogger(__name__)

TRAINING_FILE = "training.json"
SEEN_IMAGES_FILE = "pretraining-images.npy"


@dataclass(frozen=True)
class Schedule:
    """Steps of each phase, images of the instruction set, and images that the gates are measured on."""

    tower: int = 700
    reading: int = 1000
    grounding: int = 820
    num_instructions: int = NUM_INSTRUCTIONS
    num_gate_images: int = 240


FULL = Schedule()
# Everything once, in seconds: what the determinism test runs.
SMOKE = Schedule(tower=2, reading=4, grounding=20, num_instructions=6, num_gate_images=4)


@dataclass
class SeenImages:
    """Renders pre-training images and keeps the first eight bytes of each pixel hash, as proof of what was shown."""

    seed: int
    hashes: set[int] = field(default_factory=set)

    def show(
        self, split: str, index: int, num_objects: int | None = None
    ) -> tuple[Scene, Image.Image]:
        """Render one image and note it."""
        scene, image = render_image(split, index, self.seed, num_objects=num_objects)
        self.hashes.add(short_hash(image))
        return scene, image

    def as_array(self) -> np.ndarray:
        """Return the hashes sorted, as unsigned 64-bit numbers."""
        return np.array(sorted(self.hashes), dtype=np.uint64)


def short_hash(image: Image.Image) -> int:
    """Return the first eight bytes of an image's pixel hash as a number."""
    return int(pixel_hash(image)[:16], 16)


class Pretraining:
    """One pre-training: three phases over one model, each saved when it is done."""

    def __init__(self, seed: int, schedule: Schedule, checkpoints: Path) -> None:
        self.seed, self.schedule, self._checkpoints = seed, schedule, checkpoints
        self.prompts = load_prompts()
        self.tokenizer = train_tokenizer(self.prompts)
        self.seen = SeenImages(seed)
        torch.manual_seed(seed)
        self.model: LlavaForConditionalGeneration = build_model(self.tokenizer)
        self.heads = BindingHeads(HIDDEN)
        self.phase_measures: dict[str, dict[str, float]] = {}
        # What a checkpoint must have been made with to be taken. Taken at the start: code that is edited while a phase
        # runs is not the code that runs.
        self._fingerprint = json.dumps(
            {
                "seed": seed,
                "schedule": asdict(schedule),
                "threads": torch.get_num_threads(),
                "code": _code_hash(),
                **environment(),
            },
            sort_keys=True,
        )

    def run(self) -> None:
        """Run the phases that are not saved yet."""
        for number, (name, phase) in enumerate(self._phases().items()):
            path = self._checkpoints / f"{number + 1}-{name}.safetensors"
            if path.exists() and self._load(path):
                log.info("phase %s: taken from %s", name, path)
                continue
            torch.manual_seed(_phase_seed(name, self.seed))
            self.model.train()
            self.phase_measures[name] = phase(random.Random(f"scenes/{name}/{self.seed}"))
            self._save(path)

    def _phases(self) -> dict[str, Callable[[random.Random], dict[str, float]]]:
        return {"tower": self._tower, "reading": self._reading, "grounding": self._grounding}

    def _tower(self, rng: random.Random) -> dict[str, float]:
        del rng  # the images are named by number
        return train_tower(
            self.model, lambda index: self.seen.show("tower", index), steps=self.schedule.tower
        )

    def _reading(self, rng: random.Random) -> dict[str, float]:
        self.heads, measures = train_reading(
            self.model, self.tokenizer, rng, steps=self.schedule.reading
        )
        return measures

    def _grounding(self, rng: random.Random) -> dict[str, float]:
        work = Grounding(self.model, self.tokenizer, self.heads, self.seen.show, self.prompts)
        return train_grounding(
            work,
            rng,
            steps=self.schedule.grounding,
            num_instructions=self.schedule.num_instructions,
            seed=self.seed,
        )

    def _save(self, path: Path) -> None:
        tensors = {
            f"model.{name}": tensor.contiguous() for name, tensor in self.model.state_dict().items()
        }
        tensors.pop("model.lm_head.weight", None)  # tied to the embeddings
        tensors |= {f"heads.{name}": tensor for name, tensor in self.heads.state_dict().items()}
        tensors["seen"] = torch.from_numpy(self.seen.as_array().view(np.int64))
        about = {"fingerprint": self._fingerprint, "measures": json.dumps(self.phase_measures)}
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_suffix(".partial")
        safetensors.torch.save_file(tensors, partial, metadata=about)
        partial.replace(path)

    def _load(self, path: Path) -> bool:
        with safetensors.safe_open(path, "pt") as stored:
            if stored.metadata()["fingerprint"] != self._fingerprint:
                log.info("%s is of other code or settings; the phase is run again", path)
                return False
            tensors = {name: stored.get_tensor(name) for name in stored.keys()}  # not a mapping
            self.phase_measures = json.loads(stored.metadata()["measures"])
        self.seen.hashes = set(tensors.pop("seen").numpy().view(np.uint64).tolist())
        weights = {
            name.removeprefix("model."): value
            for name, value in tensors.items()
            if name.startswith("model.")
        }
        weights["lm_head.weight"] = weights["model.language_model.embed_tokens.weight"]
        self.model.load_state_dict(weights)
        self.heads.load_state_dict(
            {
                name.removeprefix("heads."): value
                for name, value in tensors.items()
                if name.startswith("heads.")
            }
        )
        return True


def pretrain(out: Path, *, seed: int, threads: int, schedule: Schedule = FULL) -> dict[str, Any]:
    """Make the model in `out`, which must not exist yet, and return the content of its record's `training.json`.

    The record is a folder of its own, `record_folder(out)`: a checkpoint folder holds safetensors and text only.

    Raises:
        FileExistsError: `out` exists.
    """
    if out.exists():
        raise FileExistsError(
            f"Expected `--out` to be a new folder, got {out}, which exists. Name another one."
        )
    torch.set_num_threads(threads)
    torch.use_deterministic_algorithms(True)
    checkpoints = out.with_name(f"{out.name}.phases")
    work = Pretraining(seed, schedule, checkpoints)
    work.run()
    processor = build_processor(work.tokenizer)
    measures = measure_base(
        Respondent(work.model, processor),
        work.prompts,
        held_out("gates", schedule.num_gate_images, seed),
    )
    partial = Path(tempfile.mkdtemp(prefix=f".{out.name}.", dir=out.parent))
    try:
        save(partial, work.model, processor)
        report = _report(work, measures, threads=threads, weights=partial / "model.safetensors")
        record = record_folder(out)
        record.mkdir(exist_ok=True)
        np.save(record / SEEN_IMAGES_FILE, work.seen.as_array())
        (record / TRAINING_FILE).write_text(json.dumps(report, indent=1) + "\n")
        partial.chmod(0o755)
        partial.replace(out)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    shutil.rmtree(checkpoints)
    return report


def record_folder(model: Path) -> Path:
    """Return the folder with the record of the pre-training of a model, beside the model's."""
    return model.with_name(f"{model.name}.record")


def _report(
    work: Pretraining, measures: BaseMeasures, *, threads: int, weights: Path
) -> dict[str, Any]:
    return {
        "model_sha256": hashlib.sha256(weights.read_bytes()).hexdigest(),
        "seed": work.seed,
        "threads": threads,
        "schedule": asdict(work.schedule),
        "environment": environment(),
        "num_images_seen": len(work.seen.hashes),
        "num_held_out_images_seen": num_held_out_seen(work.seen.hashes, work.seed),
        "phases": work.phase_measures,
        **measures.as_json(),
    }


def num_held_out_seen(seen: set[int], seed: int, *, num_unlabelled: int = 480) -> int:
    """Count the images of the unlabelled, dev and test splits that the pre-training has shown; 0 by construction."""
    splits = {"unlabelled": num_unlabelled, "dev": NUM_DEV, "test": NUM_TEST}
    return sum(
        short_hash(render_image(split, index, seed)[1]) in seen
        for split, number in splits.items()
        for index in range(number)
    )


def environment() -> dict[str, str]:
    """Return what the bytes depend on besides seed and code: packages and machine type."""
    return {
        "torch": torch.__version__,
        "transformers": transformers.__version__,
        "python": platform.python_version(),
        "pillow": Image.__version__,
        "machine": f"{platform.system()} {platform.machine()} {torch.backends.cpu.get_cpu_capability()}, {_processor()}",
    }


def _processor() -> str:
    """Return the processor's name; matrix kernels are chosen by it."""
    cpu_file = Path("/proc/cpuinfo")
    if cpu_file.exists():
        for line in cpu_file.read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor()


def _phase_seed(name: str, seed: int) -> int:
    return int.from_bytes(hashlib.sha256(f"scenes/{name}/{seed}".encode()).digest()[:4])


def _code_hash() -> str:
    digest = hashlib.sha256(PROMPT_FILE.read_bytes())
    for path in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()
