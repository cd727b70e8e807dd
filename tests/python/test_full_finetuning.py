"""Training the language model itself: what learns, what stays, and that its policy is put on and off like an adapter."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from model_process import ModelProcess
from safetensors.torch import load_file, save_file
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

from sticflow_ml.contract import AdapterSpec, LoraSettings
from sticflow_ml.errors import SticflowError
from sticflow_ml.memory import BLOCK, Lora, dimensions, generation_terms, num_adapter_weights
from sticflow_ml.protocol import Reporter
from sticflow_ml.training import Training
from sticflow_ml.warm_policy import WarmPolicy
from sticflow_ml.work_folder import read_json

NUM_PAIRS = 4
WHOLE = Lora(0, BLOCK, is_full=True)


@pytest.fixture
def request_for(checkpoints: dict[str, Path], pictures: Path, tmp_path: Path):
    def build(name: str, family: str = "llava", **changes: Any) -> dict[str, Any]:
        changes = {"finetuning": "full", **changes}
        return preference_request(
            checkpoints[family], pictures, tmp_path / name, num_pairs=NUM_PAIRS, **changes
        )

    return build


def _open(request: dict[str, Any]) -> Training:
    """As `training_parts.open_training`, with a copy of the language model for an adapter."""
    training = open_training(request, Messages())
    training.policy.unload()
    warm = WarmPolicy()
    loaded, policy = warm.for_training(
        training.request.model,
        None,
        lora=LoraSettings.model_validate(request["lora"]),
        seed=0,
        reporter=Reporter(Messages(), "r"),
        is_full=True,
    )
    return Training(
        request=training.request,
        data_path=training.data_path,
        loaded=loaded,
        policy=policy,
        images=loaded.images(training.request.image_roots),
        workplace=training.workplace,
    )


def _difference(training: Training, model: torch.nn.Module) -> torch.Tensor:
    scorer, pairs = open_scorer(training, NUM_PAIRS)
    scored = scorer.logps(model, pairs, [scorer.row(pair) for pair in pairs])
    return (scored.chosen_B - scored.rejected_B).sum()


def _run(*requests: dict[str, Any], faults: str = "") -> list[dict[str, Any] | None]:
    with ModelProcess.fork(faults=faults) as process:
        return [process.run(request) for request in requests]


def _trained(request: dict[str, Any]) -> dict[str, str]:
    [last] = _run(request)
    assert last is not None
    assert last["type"] == "result", last
    return {"path": str(Path(request["work_dir"]) / "output"), "sha256": "c" * 64}


@pytest.mark.parametrize("family", FAMILIES)
def test_every_weight_of_the_language_model_gets_the_gradient_of_the_model_alone(
    request_for, family: str
) -> None:
    training = _open(request_for("wrapped", family))
    _difference(training, training.policy).backward()
    of_copies = {
        name.removeprefix("base_model.model.").replace(".modules_to_save.default", ""): weight.grad
        for name, weight in training.policy.named_parameters()
        if weight.requires_grad
    }
    alone = open_training(request_for("alone", family), Messages())
    model = alone.policy.unload()
    learning = {f"{name}." for name, one in model.named_modules() if one is model.get_decoder()}
    for name, weight in model.named_parameters():
        weight.requires_grad_(name.startswith((*learning, "lm_head.")))
    _difference(alone, model).backward()
    of_model = {
        name: weight.grad for name, weight in model.named_parameters() if weight.requires_grad
    }

    assert of_copies.keys() == of_model.keys()
    for name, gradient in of_model.items():
        assert torch.equal(of_copies[name], gradient), name


def test_without_its_copies_the_policy_is_the_base_bit_for_bit(request_for) -> None:
    training = _open(request_for("opened"))
    training.policy.eval()
    with torch.no_grad():
        for weight in training.policy.parameters():
            if weight.requires_grad:
                weight.add_(0.01)
        adapted = _difference(training, training.policy)
        with training.policy.disable_adapter():
            without = _difference(training, training.policy)
        alone = open_training(request_for("alone"), Messages())
        of_base = _difference(alone, alone.policy.unload().eval())

    assert without == of_base
    assert adapted != of_base


def test_embeddings_that_are_the_head_too_stay_as_they_are(request_for) -> None:
    training = open_training(request_for("tied"), Messages())
    model = training.policy.unload()
    model.lm_head.weight = model.get_input_embeddings().weight
    from sticflow_ml.full_finetuning import full_config

    names = full_config(training.loaded).modules_to_save

    assert names is not None
    assert not any(name.endswith(("embed_tokens", "lm_head")) for name in names)
    assert any(name.endswith("down_proj") for name in names)


@pytest.mark.slow
@pytest.mark.parametrize(
    "fault", ["train_preference.saved:kill@1", "train_preference.save_half:kill@2"]
)
def test_a_killed_training_goes_on_to_the_same_bytes(request_for, fault: str) -> None:
    whole, killed = request_for("whole"), request_for("killed")
    _trained(whole)

    assert _run(killed, faults=fault) == [None]
    _trained({**killed, "attempt": 2})

    assert output_hashes(Path(killed["work_dir"])) == output_hashes(Path(whole["work_dir"]))
    facts = read_json(Path(whole["work_dir"]) / "output" / "training.json")
    assert facts["finetuning"] == "full"
    sizes = dimensions(_open(request_for("sizes")).loaded.model.config)
    assert facts["num_trained_weights"] == num_adapter_weights(sizes, WHOLE)


@pytest.mark.slow
def test_its_policy_writes_as_a_checkpoint_of_the_same_weights(
    checkpoints: dict[str, Path], pictures: Path, tmp_path: Path, request_for
) -> None:
    from transformers import AutoModelForImageTextToText

    policy = _trained(request_for("trained", optimization={**OPTIMIZATION, "learning_rate": 0.05}))
    model = AutoModelForImageTextToText.from_pretrained(checkpoints["llava"])
    weights = load_file(Path(policy["path"]) / "adapter_model.safetensors")
    copied = {name.removeprefix("base_model.model."): weight for name, weight in weights.items()}
    assert not any("vision" in name or "projector" in name for name in copied)
    assert not model.load_state_dict(copied, strict=False).unexpected_keys
    merged = tmp_path / "merged"
    merged.mkdir()
    for path in checkpoints["llava"].iterdir():
        if path.suffix != ".safetensors":
            (merged / path.name).write_bytes(path.read_bytes())
    model.save_pretrained(merged)

    texts = []
    with ModelProcess.fork() as process:
        for name, checkpoint, adapter in (
            ("base", checkpoints["llava"], None),
            ("policy", checkpoints["llava"], policy),
            ("again", checkpoints["llava"], None),
            ("merged", merged, None),
        ):
            rows = write_lines(tmp_path / f"{name}.jsonl", generation_rows(6))
            request = work_request(
                "generate", checkpoint, tmp_path / name, adapter=adapter, engine={"name": "hf"},
                requests_path=str(rows), batch_size=2,
                image_roots={"images": str(pictures), "corrupted": None},
            )  # fmt: skip
            assert (last := process.run(request)) is not None
            assert last["type"] == "result", last
            texts.append(
                [
                    row["text"]
                    for row in read_lines(tmp_path / name / "output" / "generations.jsonl")
                ]
            )

    assert texts[1] == texts[3]
    assert texts[0] == texts[2]
    assert texts[0] != texts[1]


@pytest.mark.slow
def test_the_next_training_goes_on_with_the_copy(
    checkpoints: dict[str, Path], pictures: Path, tmp_path: Path, request_for
) -> None:
    first = request_for("first")
    policy = _trained(first)
    examples = write_lines(tmp_path / "examples.jsonl", example_rows(4))
    infused = work_request(
        "train_infused", checkpoints["llava"], tmp_path / "infused", finetuning="full", adapter=policy,
        examples_path=str(examples), image_roots=first["image_roots"], lora=first["lora"],
        optimization={**OPTIMIZATION, "learning_rate": 1e-9},
    )  # fmt: skip

    after = load_file(Path(_trained(infused)["path"]) / "adapter_model.safetensors")

    before = load_file(Path(policy["path"]) / "adapter_model.safetensors")
    assert after.keys() == before.keys()
    for name, weight in after.items():  # a step of 1e-9 is all that may lie between them
        torch.testing.assert_close(weight, before[name], atol=1e-7, rtol=0)


def test_a_policy_with_a_missing_layer_is_refused_by_its_name(
    checkpoints: dict[str, Path], tmp_path: Path, request_for
) -> None:
    policy = _trained(request_for("trained"))
    folder = Path(policy["path"])
    weights = load_file(folder / "adapter_model.safetensors")
    name = next(name for name in weights if name.endswith("down_proj.weight"))
    del weights[name]
    save_file(weights, folder / "adapter_model.safetensors")

    spec = request_for("asked")["model"]
    from sticflow_ml.contract import ModelSpec

    with pytest.raises(SticflowError, match="1 are missing and 0 have no place") as caught:
        WarmPolicy().for_generation(
            ModelSpec(**spec), AdapterSpec(**policy), Reporter(Messages(), "r")
        )

    assert caught.value.code == "ModelInvalid"
    assert caught.value.details["missing"] == [name]


@pytest.mark.parametrize("change", [{"dtype": "bfloat16"}, {"quantization": "nf4"}])
def test_half_precision_and_packed_weights_are_refused(request_for, change: dict[str, str]) -> None:
    request = request_for("refused")

    [last] = _run({**request, "model": {**request["model"], **change}})

    assert last is not None
    assert last["code"] == "ConfigInvalid"
    assert "float32" in last["message"]


def test_the_plan_counts_the_copy_and_no_merge(request_for) -> None:
    training = _open(request_for("planned"))
    sizes = dimensions(training.loaded.model.config)
    trained = [weight.numel() for weight in training.policy.parameters() if weight.requires_grad]

    assert num_adapter_weights(sizes, WHOLE) == sum(trained)
    terms = generation_terms(
        sizes, num_rows=1, num_prompt_tokens=8, max_new_tokens=8, weights_bytes=1, adapter=WHOLE,
        dtype="float32", device="cpu",
    )  # fmt: skip
    assert terms["adapter"] == 4 * sum(trained)
    assert "weights_before_merge" not in terms
