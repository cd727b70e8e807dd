"""Answer `sticflow plan`: how much memory the trainings and the generation of a config would need here.

Started as `python -m sticflow_ml.plan_memory` by the CLI; reads one JSON document on stdin, writes one on
stdout. Reads the headers of the weights, never the weights.
"""

from __future__ import annotations

import json
import math
import sys
from pathlib import Path
from typing import Any

from sticflow_ml.batch_size import rows_that_fit
from sticflow_ml.devices import device_memory_bytes, device_name, fits, resolve_device
from sticflow_ml.errors import EXIT_FAILED, SticflowError
from sticflow_ml.memory import (
    BLOCK,
    SIZE_BYTES,
    Dimensions,
    Lora,
    Pass,
    dimensions,
    generation_terms,
    num_adapter_weights,
    packed_bytes,
    sharded_bytes,
    total,
    training_terms,
)

# Words around an image that nobody knows before there are prompts: STIC's longest prompt has 90 tokens.
NUM_PROMPT_TOKENS = 128
# Turns of an instruction without its description; LLaVA's mix665k is cut at 2,048 with the image.
NUM_INSTRUCTION_TOKENS = 512
# Tokens of an image where the config of the family does not tell; said in the answer.
NUM_ASSUMED_IMAGE_TOKENS = 1024
HEADER_LENGTH_BYTES = 8


def main() -> int:
    """Answer one question; return the exit code."""
    try:
        answer = plan(json.load(sys.stdin))
    except SticflowError as error:
        answer = {"error": {"code": error.code, "message": str(error)}}
    json.dump(answer, sys.stdout)
    return EXIT_FAILED if "error" in answer else 0


def plan(question: dict[str, Any]) -> dict[str, Any]:
    """Estimate every training and the generation of a config.

    Args:
        question: `model_path`, `dtype`, `quantization`, `device`, `trainings` (stage, finetuning, lora,
            micro_batch_size, max_length, max_new_tokens, gradient_checkpointing, num_shards) and
            `generation` (batch_size, max_new_tokens).

    Raises:
        SticflowError: `ModelInvalid`, `ConfigInvalid`.
    """
    path = Path(question["model_path"])
    sizes = dimensions(_config(path))
    num_weights = count_weights(path)
    device = resolve_device(question["device"])
    dtype, is_packed = question["dtype"], question["quantization"] is not None
    whole_bytes = num_weights * SIZE_BYTES[dtype]
    common = {
        "weights_bytes": packed_bytes(sizes, whole_bytes, dtype=dtype)
        if is_packed
        else whole_bytes,
        "dtype": dtype,
        "device": device.type,
    }
    capacity = device_memory_bytes(device)
    estimates = [
        _of_training(sizes, training, common, capacity) for training in question["trainings"]
    ]
    last = _trained(question["trainings"][-1]) if question["trainings"] else None
    common["is_packed"] = is_packed
    estimates.append(_of_generation(sizes, question["generation"], last, common, capacity))
    return {
        "device": {"kind": device.type, "name": device_name(device), "memory_bytes": capacity},
        "model": {
            "num_weights": num_weights,
            "num_layers": sizes.num_layers,
            "hidden_size": sizes.hidden_size,
            "image_tokens": sizes.num_image_tokens or NUM_ASSUMED_IMAGE_TOKENS,
            "image_tokens_known": sizes.num_image_tokens is not None,
        },
        "estimates": estimates,
    }


def count_weights(folder: Path) -> int:
    """Numbers in all safetensors files of a checkpoint, by their headers.

    Raises:
        SticflowError: `ModelInvalid` when there is none or one is cut off.
    """
    count = 0
    files = sorted(folder.glob("*.safetensors"))
    for file in files:
        with file.open("rb") as content:
            length = int.from_bytes(content.read(HEADER_LENGTH_BYTES), "little")
            try:
                header = json.loads(content.read(min(length, 2**28)))
            except ValueError as error:
                raise SticflowError(
                    "ModelInvalid",
                    f"Expected {file.name} to begin with a header of safetensors, got: {error}. "
                    "Fetch the file again.",
                ) from error
        count += sum(
            math.prod(tensor["shape"]) for name, tensor in header.items() if name[:2] != "__"
        )
    if not files:
        raise SticflowError(
            "ModelInvalid",
            f"Expected safetensors files in {folder}, found none. Fetch the complete checkpoint.",
        )
    return count


def _config(path: Path) -> Any:
    from transformers import AutoConfig

    try:
        return AutoConfig.from_pretrained(path, local_files_only=True, trust_remote_code=False)
    except (OSError, ValueError, KeyError) as error:
        raise SticflowError(
            "ModelInvalid", f"Expected a config.json of transformers, got: {error}"
        ) from error


def _of_training(
    sizes: Dimensions, training: dict[str, Any], common: dict[str, Any], capacity: int
) -> dict[str, Any]:
    lora = _trained(training)
    one_pass = _longest_pass(sizes, training)
    if training["num_shards"] > 1:
        weights_bytes = sharded_bytes(
            sizes,
            common["weights_bytes"],
            num_shards=training["num_shards"],
            dtype=common["dtype"],
        )
        common = {**common, "weights_bytes": weights_bytes}

    def terms(is_checkpointed: bool) -> dict[str, int]:
        return training_terms(sizes, lora, one_pass, is_checkpointed=is_checkpointed, **common)

    wanted = training["gradient_checkpointing"]
    is_checkpointed = not fits(total(terms(False)), capacity) if wanted == "auto" else wanted
    return {
        "stage": training["stage"],
        "rows": one_pass.num_rows,
        "row_tokens": one_pass.num_row_tokens,
        "gradient_checkpointing": is_checkpointed,
        "adapter_bytes": num_adapter_weights(sizes, lora) * 4,
        **_verdict(terms(is_checkpointed), capacity),
    }


def _trained(training: dict[str, Any]) -> Lora:
    if training["finetuning"] == "full":
        return Lora(0, BLOCK, is_full=True)
    settings = training["lora"]
    return Lora(settings["r"], settings["target_modules"], settings.get("use_dora") is True)


def _longest_pass(sizes: Dimensions, training: dict[str, Any]) -> Pass:
    """The micro-batch that the dry step of a training runs if texts are as long as they may be."""
    limit = min(training["max_length"] or sizes.max_positions, sizes.max_positions)
    image = sizes.num_image_tokens or NUM_ASSUMED_IMAGE_TOKENS
    texts = training["max_new_tokens"]
    rows = training["micro_batch_size"]
    if training["stage"] == "preference_training":
        prompt = min(image + NUM_PROMPT_TOKENS, limit)
        completion = min(texts, limit - prompt)
        return Pass(rows, prompt + 2 * completion, rows * 2 * completion)
    length = min(image + texts + NUM_INSTRUCTION_TOKENS, limit)
    return Pass(rows, length, rows * min(NUM_INSTRUCTION_TOKENS, length))


def _of_generation(
    sizes: Dimensions,
    generation: dict[str, Any],
    adapter: Lora | None,
    common: dict[str, Any],
    capacity: int,
) -> dict[str, Any]:
    image = sizes.num_image_tokens or NUM_ASSUMED_IMAGE_TOKENS
    rows = generation["batch_size"]
    if rows == "auto":
        rows = rows_that_fit(
            sizes,
            num_prompt_tokens=image + NUM_PROMPT_TOKENS,
            max_new_tokens=generation["max_new_tokens"],
            dtype=common["dtype"],
            free_bytes=max(0, capacity - common["weights_bytes"]),
        )
    terms = generation_terms(
        sizes,
        num_rows=rows,
        num_prompt_tokens=image + NUM_PROMPT_TOKENS,
        max_new_tokens=generation["max_new_tokens"],
        adapter=adapter,
        **common,
    )
    return {
        "stage": "generation",
        "rows": rows,
        "row_tokens": image + NUM_PROMPT_TOKENS + generation["max_new_tokens"],
        "gradient_checkpointing": None,
        "adapter_bytes": terms.get("adapter", 0),
        **_verdict(terms, capacity),
    }


def _verdict(terms: dict[str, int], capacity: int) -> dict[str, Any]:
    return {"terms": terms, "total_bytes": total(terms), "fits": fits(total(terms), capacity)}


if __name__ == "__main__":
    sys.exit(main())
