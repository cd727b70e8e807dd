"""Conversations packed into one row: the losses of rows of their own, and nothing of each other."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest
import torch
from model_process import ModelProcess
from rank_runs import output
from safetensors.torch import load_file
from tiny_models import FAMILIES
from tiny_requests import (
    LORA,
    OPTIMIZATION,
    assistant_message,
    example_rows,
    output_hashes,
    user_message,
    work_request,
    write_lines,
)
from training_parts import Messages

from sticflow_ml.adapters import fresh_adapter
from sticflow_ml.contract import LoraSettings, TrainInfusedRequest
from sticflow_ml.faults import Faults
from sticflow_ml.infused_examples import Examples, open_examples, read_examples
from sticflow_ml.lifeline import Lifeline
from sticflow_ml.losses import GlobalBatch
from sticflow_ml.model import load_model
from sticflow_ml.objective import Workplace
from sticflow_ml.packing import pack
from sticflow_ml.protocol import Reporter
from sticflow_ml.training import Training
from sticflow_ml.work_folder import read_json

NUM_EXAMPLES = 5
PACKED = {**OPTIMIZATION, "global_batch_size": 4, "micro_batch_size": 4, "batching": "packed"}
# Sums of a softmax run in another order; float32.
TOLERANCE = 2e-5


@pytest.fixture
def request_for(checkpoints: dict[str, Path], pictures: Path, tmp_path: Path):
    def build(name: str, family: str = "llava", **knobs: Any) -> dict[str, Any]:
        folder = tmp_path / name
        folder.mkdir()
        rows = example_rows(NUM_EXAMPLES)
        for number, row in enumerate(rows):  # of different lengths
            row["messages"] += [user_message("Where? " * number, image=False)] * (number > 0)
            row["messages"] += [assistant_message("top-left. " * number)] * (number > 0)
        return work_request(
            "train_infused", checkpoints[family], folder / "work",
            examples_path=str(write_lines(folder / "examples.jsonl", rows)),
            image_roots={"images": str(pictures), "corrupted": None},
            lora={**LORA, "dropout": 0.0}, optimization={**PACKED, **knobs},
        )  # fmt: skip

    return build


def _opened(request: dict[str, Any], **changes: Any) -> tuple[Training, Examples, dict[str, Any]]:
    parsed = TrainInfusedRequest.model_validate(request)
    messages = Messages()
    reporter = Reporter(messages, parsed.request_id)  # pyright: ignore[reportArgumentType]
    loaded = dataclasses.replace(load_model(parsed.model, reporter), **changes)
    work_dir = Path(parsed.work_dir)
    work_dir.mkdir()
    training = Training(
        request=parsed,
        data_path=Path(parsed.examples_path),
        loaded=loaded,
        policy=fresh_adapter(loaded, LoraSettings.model_validate(LORA), seed=0),
        images=loaded.images(parsed.image_roots),
        workplace=Workplace(work_dir, reporter, Lifeline(), Faults(work_dir)),
    )
    examples, facts = open_examples(training, read_examples(training.data_path))
    return training, examples, {**facts, "notices": messages.notices()}


def _gradients(training: Training, examples: Examples) -> dict[str, torch.Tensor]:
    places = list(range(NUM_EXAMPLES))
    tokens = sum(examples.num_target_tokens)
    loss, _ = examples.loss(training.policy, places, GlobalBatch(NUM_EXAMPLES, tokens))
    loss.backward()
    return {
        name: weight.grad
        for name, weight in training.policy.named_parameters()
        if weight.grad is not None
    }


@pytest.mark.parametrize("attention", ["split", "dense"])
@pytest.mark.parametrize("family", FAMILIES)
def test_packed_conversations_have_the_loss_and_gradients_of_padded_ones(
    request_for, family: str, attention: str
) -> None:
    packed, padded = (
        _opened(request_for(name, family, batching=name)) for name in ("packed", "shuffled")
    )
    assert packed[2]["packed"], packed[2]["packed_reason"]
    assert "packed" not in padded[2]
    if attention == "dense":  # as of a family whose attention knows no pieces
        packed[0].loaded.model.get_decoder().config._attn_implementation = "sdpa"
        packed[0].loaded.attention_seen.clear()

    ours, theirs = (_gradients(training, examples) for training, examples, _ in (packed, padded))

    assert packed[0].loaded.attention_seen == {attention}
    assert ours.keys() == theirs.keys()
    assert len(ours) > 0
    for name, gradient in theirs.items():
        torch.testing.assert_close(ours[name], gradient, atol=TOLERANCE, rtol=1e-3)


def test_a_row_holds_every_token_once_and_no_padding(request_for) -> None:
    _, examples, _ = _opened(request_for("packed"))
    rows, _ = examples._rows(examples._examples)

    packed = pack(rows)

    assert packed.input_ids_BT.shape == (1, sum(examples.num_tokens))
    counts = packed.completion_BN[0].bincount().tolist()
    assert counts == examples.num_target_tokens
    starts = torch.tensor(examples.num_tokens).cumsum(0)[:-1]
    assert packed.positions_ABT[0, 0, starts].tolist() == [0] * (NUM_EXAMPLES - 1)


def test_a_conversation_sees_nothing_of_the_others(request_for) -> None:
    training, examples, _ = _opened(request_for("packed"))
    training.policy.eval()
    with torch.no_grad():
        before, _ = examples.logps(training.policy, [0, 1, 2])
        swapped, _ = examples.logps(training.policy, [3, 1, 2])
    first, second, third = (examples.num_target_tokens[place] for place in (0, 1, 2))

    assert torch.equal(before[0, first:], swapped[0, -(second + third) :])
    assert not torch.equal(before[0, :first], swapped[0, :first])


@pytest.mark.slow
def test_a_packed_training_killed_in_the_middle_ends_with_the_bytes_of_a_whole_one(
    request_for,
) -> None:
    whole, killed, padded = (request_for(name) for name in ("whole", "killed", "padded"))
    padded["optimization"]["batching"] = "shuffled"
    for request in (whole, padded):
        with ModelProcess.fork() as process:
            assert (last := process.run(request)) is not None
            assert last["type"] == "result", last
    with ModelProcess.fork(faults="train_infused.saved:kill@1") as process:
        assert process.run(killed) is None
    with ModelProcess.fork() as process:
        assert (last := process.run({**killed, "attempt": 2})) is not None
        assert last["type"] == "result", last

    assert output_hashes(Path(killed["work_dir"])) == output_hashes(Path(whole["work_dir"]))
    assert read_json(output(whole) / "training.json")["packed"] is True
    name = "adapter_model.safetensors"
    ours, theirs = load_file(output(whole) / name), load_file(output(padded) / name)
    assert max(float((ours[key] - theirs[key]).abs().max()) for key in ours) < 2e-4


def test_a_family_that_cannot_pack_pads_and_says_so(request_for) -> None:
    _, examples, facts = _opened(request_for("padded"), encodes_images_apart=False)

    assert not examples._is_packed
    assert facts["packed"] is False
    assert "takes no encoded images" in facts["packed_reason"]
    assert "padded instead" in facts["notices"]["not_packed"]


def test_a_family_whose_attention_differs_pads_and_says_so(
    request_for, monkeypatch: pytest.MonkeyPatch
) -> None:
    from sticflow_ml import packing

    def leaking(segments_BT: torch.Tensor) -> torch.Tensor:
        length = segments_BT.shape[1]
        return torch.ones(1, 1, length, length, dtype=torch.bool).tril()

    # Attention that knows no pieces, and a mask under which conversations see each other.
    monkeypatch.setattr(packing, "tree_mask", leaking)
    monkeypatch.setattr("sticflow_ml.forward.RowPieces", lambda lengths: None)

    _, examples, facts = _opened(request_for("leaking"))

    assert not examples._is_packed
    assert "differ by" in facts["packed_reason"]
