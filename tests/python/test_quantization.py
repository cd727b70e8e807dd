"""QLoRA: the language model in 4 bits, LoRA beside it; numbers held against transformers' own loading."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from bitsandbytes.functional import dequantize_4bit
from bitsandbytes.nn import Linear4bit
from model_process import ModelProcess
from tiny_models import FAMILIES
from tiny_requests import (
    OPTIMIZATION,
    example_rows,
    generation_rows,
    output_hashes,
    read_lines,
    work_request,
    write_lines,
)
from training_parts import Messages, open_scorer, open_training, preference_request

from sticflow_ml.contract import ModelSpec
from sticflow_ml.memory import NF4_BYTES, dimensions, num_block_weights, packed_bytes
from sticflow_ml.model import load_model
from sticflow_ml.plan_memory import plan
from sticflow_ml.protocol import Reporter
from sticflow_ml.work_folder import read_json

NUM_PAIRS = 4


def _model(checkpoint: Path, **changes: Any) -> dict[str, Any]:
    return {
        **work_request("generate", checkpoint, checkpoint)["model"],
        "quantization": "nf4",
        **changes,
    }


@pytest.fixture
def request_for(checkpoints: dict[str, Path], pictures: Path, tmp_path: Path):
    def build(name: str, family: str = "llava", **changes: Any) -> dict[str, Any]:
        folder = checkpoints[family]
        changes = {"model": _model(folder), **changes}
        return preference_request(folder, pictures, tmp_path / name, num_pairs=NUM_PAIRS, **changes)

    return build


def _run(request: dict[str, Any], faults: str = "") -> dict[str, Any] | None:
    with ModelProcess.fork(faults=faults) as process:
        return process.run(request)


@pytest.mark.parametrize("family", FAMILIES)
def test_the_packed_weights_are_those_that_transformers_makes(
    checkpoints: dict[str, Path], family: str
) -> None:
    from transformers import AutoModelForImageTextToText, BitsAndBytesConfig

    ours = load_model(ModelSpec(**_model(checkpoints[family])), Reporter(Messages(), "r")).model
    decoder = ours.get_decoder()
    packed = {name: layer for name, layer in ours.named_modules() if isinstance(layer, Linear4bit)}
    whole = [
        name
        for name, layer in ours.named_modules()
        if isinstance(layer, torch.nn.Linear) and name not in packed
    ]
    theirs = AutoModelForImageTextToText.from_pretrained(
        checkpoints[family],
        dtype=torch.float32,
        device_map={"": "cpu"},
        quantization_config=BitsAndBytesConfig(
            load_in_4bit=True,
            bnb_4bit_quant_type="nf4",
            bnb_4bit_use_double_quant=True,
            bnb_4bit_compute_dtype=torch.float32,
            llm_int8_skip_modules=whole,
        ),
    )

    assert len(packed) == 7 * len(decoder.layers)
    for name, layer in packed.items():
        other = theirs.get_submodule(name)
        assert torch.equal(layer.weight.flatten(), other.weight.flatten()), name
        assert torch.equal(
            dequantize_4bit(layer.weight, layer.weight.quant_state),
            dequantize_4bit(other.weight, other.weight.quant_state),
        )


def test_log_probabilities_and_gradients_are_those_of_the_unpacked_weights(request_for) -> None:
    packed = open_training(request_for("packed"), Messages())
    whole = open_training(
        request_for("whole", model={**request_for("x")["model"], "quantization": None}), Messages()
    )
    with torch.no_grad():
        for name, layer in packed.loaded.model.named_modules():
            if isinstance(layer, Linear4bit):
                unpacked = dequantize_4bit(layer.weight, layer.weight.quant_state)
                whole.loaded.model.get_submodule(name).weight.copy_(unpacked)

    gradients: list[dict[str, torch.Tensor]] = []
    logps: list[torch.Tensor] = []
    for training in (packed, whole):
        scorer, pairs = open_scorer(training, NUM_PAIRS)
        training.policy.train()
        scored = scorer.logps(training.policy, pairs, [scorer.row(pair) for pair in pairs])
        (scored.chosen_B - scored.rejected_B).sum().backward()
        logps.append(scored.chosen_B.detach())
        gradients.append(
            {
                name: weight.grad
                for name, weight in training.policy.named_parameters()
                if weight.grad is not None
            }
        )

    torch.testing.assert_close(logps[0], logps[1], atol=1e-5, rtol=1e-5)
    assert gradients[0].keys() == gradients[1].keys()
    assert len(gradients[0]) > 0
    for name, gradient in gradients[0].items():
        torch.testing.assert_close(gradient, gradients[1][name], atol=1e-5, rtol=1e-4)


@pytest.mark.slow
def test_a_killed_training_beside_packed_weights_goes_on_to_the_same_bytes(request_for) -> None:
    whole, killed = request_for("whole"), request_for("killed")
    assert (last := _run(whole)) is not None
    assert last["type"] == "result", last

    assert _run(killed, "train_preference.saved:kill@1") is None
    assert (last := _run({**killed, "attempt": 2})) is not None

    assert last["type"] == "result", last
    assert output_hashes(Path(killed["work_dir"])) == output_hashes(Path(whole["work_dir"]))
    facts = read_json(Path(whole["work_dir"]) / "output" / "training.json")
    assert facts["quantization"] == "nf4"
    assert facts["versions"]["bitsandbytes"]
    plain = request_for("plain", model={**whole["model"], "quantization": None})
    _run(plain)
    assert output_hashes(Path(plain["work_dir"])) != output_hashes(Path(whole["work_dir"]))


@pytest.mark.slow
def test_its_adapter_writes_unmerged_and_is_trained_on(
    checkpoints: dict[str, Path], pictures: Path, tmp_path: Path, request_for
) -> None:
    trained = request_for("trained", optimization={**OPTIMIZATION, "learning_rate": 1.0})
    _run(trained)
    model = trained["model"]
    adapter = {"path": str(Path(trained["work_dir"]) / "output"), "sha256": "c" * 64}
    roots = {"images": str(pictures), "corrupted": None}
    texts = []
    with ModelProcess.fork() as process:
        for name, policy in (("base", None), ("adapted", adapter), ("again", None)):
            rows = write_lines(
                tmp_path / f"{name}.jsonl", generation_rows(6, temperature=0, top_p=None)
            )
            request = work_request(
                "generate", checkpoints["llava"], tmp_path / name, model=model, adapter=policy,
                engine={"name": "hf"}, requests_path=str(rows), image_roots=roots, batch_size=2,
            )  # fmt: skip
            assert (last := process.run(request)) is not None
            assert last["type"] == "result", last
            output = tmp_path / name / "output"
            texts.append([row["text"] for row in read_lines(output / "generations.jsonl")])
            expected = "unmerged" if policy else "none"
            assert read_json(output / "generation.json")["adapter_mode"] == expected
        examples = write_lines(tmp_path / "examples.jsonl", example_rows(4))
        infused = work_request(
            "train_infused", checkpoints["llava"], tmp_path / "infused", model=model, adapter=adapter,
            examples_path=str(examples), image_roots=roots, lora=trained["lora"],
            optimization=OPTIMIZATION,
        )  # fmt: skip
        assert (last := process.run(infused)) is not None
        assert last["type"] == "result", last

    assert texts[0] == texts[2]
    assert texts[0] != texts[1]


def test_the_plan_counts_half_a_byte_a_weight_and_its_scales(
    checkpoints: dict[str, Path], request_for
) -> None:
    loaded = load_model(ModelSpec(**_model(checkpoints["llava"])), Reporter(Messages(), "r"))
    sizes = dimensions(loaded.model.config)
    layers = [layer for layer in loaded.model.modules() if isinstance(layer, Linear4bit)]
    held = 0
    for layer in layers:
        state = layer.weight.quant_state
        assert state is not None
        held += layer.weight.nbytes + state.absmax.nbytes
        held += state.state2.absmax.nbytes

    # A last block of 256 scales that is not full costs a whole one.
    assert num_block_weights(sizes) * NF4_BYTES == pytest.approx(held, abs=4 * len(layers))

    training = request_for("planned")
    question = {
        "model_path": str(checkpoints["llava"]), "dtype": "bfloat16", "device": "cpu",
        "trainings": [
            {
                "stage": "preference_training", "finetuning": "lora", "lora": training["lora"],
                "micro_batch_size": 1, "max_length": None, "max_new_tokens": 16,
                "gradient_checkpointing": False, "num_shards": 1,
            }
        ],
        "generation": {"batch_size": 1, "max_new_tokens": 16},
    }  # fmt: skip
    whole = plan({**question, "quantization": None})["estimates"][0]["terms"]["weights"]
    answer = plan({**question, "quantization": "nf4"})
    assert answer["estimates"][0]["terms"]["weights"] == packed_bytes(
        sizes, whole, dtype="bfloat16"
    )
    assert answer["estimates"][0]["terms"]["weights"] < whole
