"""The reference of a preference training: the policy that wrote the pairs, computed once, never stale."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from model_process import ModelProcess
from tiny_requests import OPTIMIZATION, pair_rows, read_lines, write_lines
from training_parts import Messages, open_scorer, open_training, preference_request

from sticflow_ml.adapters import continue_adapter
from sticflow_ml.contract import AdapterSpec

NUM_PAIRS = 4
LOG_2 = 0.693147
# The log-probabilities of a text of some twenty tokens, float32, batched in another way.
TOLERANCE = 2e-4


@pytest.fixture
def request_for(checkpoints: dict[str, Path], pictures: Path, tmp_path: Path):
    def build(name: str, **changes: Any) -> dict[str, Any]:
        return preference_request(
            checkpoints["llava"], pictures, tmp_path / name, num_pairs=NUM_PAIRS, **changes
        )

    return build


def _train(request: dict[str, Any], faults: str = "") -> ModelProcess:
    with ModelProcess.fork(faults=faults) as process:
        process.run(request)
        return process


def _trained(request: dict[str, Any]) -> dict[str, str]:
    process = _train(request)
    assert process.messages[-1]["type"] == "result", process.messages[-1]
    return {"path": str(Path(request["work_dir"]) / "output"), "sha256": "b" * 64}


def _stored(request: dict[str, Any]) -> list[dict[str, Any]]:
    return read_lines(Path(request["work_dir"]) / "reference_logps.jsonl")


def test_the_stored_reference_is_what_the_policy_scores_when_asked_anew(request_for) -> None:
    # trl issues 5867 and 3985, ms-swift issue 10196, LLaMA-Factory issue 4810
    request = request_for("stored")
    _trained(request)

    training = open_training(request_for("anew"), Messages())
    training.policy.eval()
    scorer, pairs = open_scorer(training, NUM_PAIRS)
    with torch.no_grad(), training.policy.disable_adapter():
        logps = scorer.logps(training.policy, pairs, [scorer.row(pair) for pair in pairs])

    for side, anew_B in (("chosen", logps.chosen_B), ("rejected", logps.rejected_B)):
        stored = [line[side] for line in _stored(request)]
        assert stored == pytest.approx(anew_B.tolist(), abs=TOLERANCE)


def _another_base(request: dict[str, Any]) -> None:
    request["model"]["sha256"] = "c" * 64


def _another_template(request: dict[str, Any]) -> None:
    folder = Path(request["model"]["path"])
    copy = Path(request["work_dir"]).parent / "model"
    shutil.copytree(folder, copy)
    [template] = copy.glob("chat_template*")
    template.write_text("Look closely. " + template.read_text())
    request["model"]["path"] = str(copy)


def _other_pairs(request: dict[str, Any]) -> None:
    write_lines(Path(request["pairs_path"]), pair_rows(NUM_PAIRS + 1))


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (_another_base, "model_sha256"),
        (_another_template, "template_sha256"),
        (_other_pairs, "data_sha256"),
    ],
)
def test_a_stored_reference_of_something_else_is_refused_by_name(
    request_for, change, named: str
) -> None:
    request = request_for("work")
    assert _train(request, "train_preference.step:kill@1").exit_code() == -9
    before = _stored(request)
    assert len(before) == NUM_PAIRS

    change(request)
    process = _train({**request, "attempt": 2})

    [notice] = [one for one in process.messages if one.get("name") == "reference_logps_refused"]
    assert named in notice["detail"]
    assert process.messages[-1]["type"] == "result", process.messages[-1]


def test_a_reference_that_still_fits_is_not_computed_again(request_for) -> None:
    request = request_for("work")
    _train(request, "train_preference.step:kill@1")

    process = _train({**request, "attempt": 2})

    assert "reference" not in process.named("progress")
    assert "reference_logps_refused" not in process.named("notice")


def test_the_reference_of_a_later_round_is_the_adapter_it_starts_from(request_for) -> None:
    # trl issues 1340 and 495, trl pull request 1193, LLaMA-Factory issue 8974, ms-swift issues 8047
    # and 2791, peft issue 2264: with the adapter off, or one on top of the other, nothing fails
    first = request_for("first", optimization={**OPTIMIZATION, "learning_rate": 0.1})
    adapter = _trained(first)
    second = request_for("second", adapter=adapter)
    _trained(second)

    training = open_training(request_for("anew"), Messages())
    base = training.policy.unload()
    assert base is training.loaded.model
    policy = continue_adapter(training.loaded, AdapterSpec(**adapter), dropout=0.0).eval()
    scorer, pairs = open_scorer(training, NUM_PAIRS)
    with torch.no_grad():
        logps = scorer.logps(policy, pairs, [scorer.row(pair) for pair in pairs])

    chosen = [line["chosen"] for line in _stored(second)]
    assert chosen == pytest.approx(logps.chosen_B.tolist(), abs=TOLERANCE)
    of_base = [line["chosen"] for line in _stored(first)]
    assert min(abs(one - other) for one, other in zip(chosen, of_base, strict=True)) > 0.01


def test_a_later_round_starts_at_log_2_and_earns_nothing(request_for) -> None:
    # trl pull request 6527: a reference with the adapter left on shows at the first step
    adapter = _trained(request_for("first"))
    second = request_for("second", adapter=adapter)
    _trained(second)

    first_line = read_lines(Path(second["work_dir"]) / "output" / "metrics.jsonl")[0]

    assert first_line["rewards/margins"] == pytest.approx(0, abs=1e-4)
    likelihood = first_line["logps/chosen"] / 1024
    assert first_line["loss"] == pytest.approx(LOG_2 - likelihood, abs=1e-4)
