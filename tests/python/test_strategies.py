"""What each strategy of the preference training computes, against formulas written out here."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
import torch
from model_process import ModelProcess
from opened_strategy import (
    MDPO,
    NUM_PAIRS,
    POSITIVE_ONLY,
    POVID,
    STRATEGIES,
    opened,
    released,
    request_of,
    rows_with_contrast,
)
from tiny_models import FAMILIES
from tiny_requests import output_hashes, pair_rows, read_lines
from training_parts import preference_request

from sticflow_ml.losses import alternative_logps, token_logps


@pytest.mark.parametrize("changes", STRATEGIES.values(), ids=STRATEGIES.keys())
def test_shares_of_micro_batches_add_up(
    checkpoints: dict[str, Path], pictures: Path, tmp_path: Path, changes: dict[str, Any]
) -> None:
    one = opened(checkpoints["llava"], pictures, tmp_path, **changes)

    whole, metrics = one.loss([0, 1, 2, 3])
    shares = [one.loss(places) for places in ([0], [1, 2], [3])]

    assert sum(loss for loss, _ in shares) == pytest.approx(whole, abs=1e-5)
    for name, value in metrics.items():
        assert sum(part[name] for _, part in shares) == pytest.approx(value, rel=1e-4), name


# --- positive-only ---


def test_positive_only_is_the_mean_cross_entropy_of_the_chosen_tokens(
    checkpoints: dict[str, Path], pictures: Path, tmp_path: Path
) -> None:
    one = opened(checkpoints["llava"], pictures, tmp_path / "sft", **POSITIVE_ONLY)
    both = opened(checkpoints["llava"], pictures, tmp_path / "pairs")

    loss, metrics = one.loss([0, 1, 2, 3])

    _, of_pairs = both.loss([0, 1, 2, 3])
    tokens = sum(len(one.strategy.row(pair).completions[0]) for pair in one.pairs)
    assert metrics["logps/chosen"] == pytest.approx(of_pairs["logps/chosen"], rel=1e-5)
    assert loss == pytest.approx(-metrics["logps/chosen"] / tokens, rel=1e-6)


def test_positive_only_does_not_look_at_the_rejected_text(
    checkpoints: dict[str, Path], pictures: Path, tmp_path: Path
) -> None:
    other = pair_rows(NUM_PAIRS)
    for row in other:
        row["rejected"][0]["content"][0]["text"] = "Nothing of the kind."
    losses = [
        opened(
            checkpoints["llava"], pictures, tmp_path / name, rows=rows, **POSITIVE_ONLY
        ).loss([0, 1, 2, 3])[0]
        for name, rows in {"one": rows_with_contrast(), "other": other}.items()
    ]  # fmt: skip

    assert losses[0] == losses[1]


# --- stic-released ---


def test_alternatives_are_the_likeliest_tokens_that_are_not_the_label() -> None:
    logits_TV = torch.tensor([0.0, math.log(2.0), math.log(5.0)]).expand(3, 3)

    logps_T = alternative_logps(logits_TV, torch.tensor([0, 1, 2]))

    assert logps_T.tolist() == pytest.approx(
        [math.log(5 / 8), math.log(5 / 8), math.log(2 / 8)], rel=1e-6
    )


@pytest.mark.parametrize(
    ("pick", "is_pushed_down"), [(token_logps, True), (alternative_logps, False)]
)
def test_the_released_rejected_term_pushes_the_rejected_text_up(
    pick: Any, is_pushed_down: bool
) -> None:
    """Descending on the rejected log-probability lowers the label, or what competes with it."""
    logits_TV = torch.tensor([[1.0, 0.5, -0.3]], requires_grad=True)
    label_T = torch.tensor([1])
    before = token_logps(logits_TV, label_T).item()

    pick(logits_TV, label_T).sum().backward()

    assert logits_TV.grad is not None
    after = token_logps(logits_TV.detach() - 0.1 * logits_TV.grad, label_T).item()
    assert (after < before) == is_pushed_down


def test_each_policy_picks_its_own_alternatives(
    checkpoints: dict[str, Path], pictures: Path, tmp_path: Path
) -> None:
    """A direct reading of dpo_trainer.py:498-545 on logits of the plain model."""
    one = opened(checkpoints["llava"], pictures, tmp_path, **released("alternatives", "clean"))
    pair = one.pairs[0]
    row = one.strategy.row(pair)
    ids_1T = torch.tensor([[*row.prompt_ids, *row.completions[1]]])
    image = one.training.loaded.images(one.training.request.image_roots).get(
        pair.images[0], encoded=False
    )

    with torch.no_grad():
        scored = one.strategy.score(one.training.policy, [pair], [row])["rejected"]
        logits_TV = one.training.policy(input_ids=ids_1T, **image.inputs).logits[0]

    expected = 0.0
    for offset, label in enumerate(row.completions[1]):
        logps_V = torch.log_softmax(logits_TV[len(row.prompt_ids) - 1 + offset].double(), dim=-1)
        first, second = logps_V.argsort(descending=True)[:2].tolist()
        expected += float(logps_V[second if first == label else first])
    assert float(scored) == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize("family", FAMILIES)
def test_without_an_image_the_loss_does_not_depend_on_the_picture(
    checkpoints: dict[str, Path], pictures: Path, tmp_path: Path, family: str
) -> None:
    other = pair_rows(NUM_PAIRS)
    for row in other:
        row["images"] = [{"root": "images", "file": "9.png"}]
    losses = {
        (image, name): opened(
            checkpoints[family], pictures, tmp_path / f"{image}-{name}", rows=rows,
            **released("labels", image),
        ).loss([0, 1, 2, 3])[0]
        for image in ("none", "clean")
        for name, rows in {"one": rows_with_contrast(), "other": other}.items()
    }  # fmt: skip

    assert losses["none", "one"] == losses["none", "other"]
    assert losses["clean", "one"] != losses["clean", "other"]


def test_with_every_defect_off_it_is_the_paper(
    checkpoints: dict[str, Path], pictures: Path, tmp_path: Path
) -> None:
    off = opened(checkpoints["llava"], pictures, tmp_path / "off", **released("labels", "clean"))
    paper = opened(checkpoints["llava"], pictures, tmp_path / "paper")

    assert off.loss([0, 1, 2, 3])[0] == pytest.approx(paper.loss([0, 1, 2, 3])[0], abs=1e-5)


# --- whole trainings ---


@pytest.mark.parametrize("changes", STRATEGIES.values(), ids=STRATEGIES.keys())
def test_a_training_starts_at_the_loss_of_its_formula_and_ends_the_same_twice(
    checkpoints: dict[str, Path], pictures: Path, tmp_path: Path, changes: dict[str, Any]
) -> None:
    hashes = []
    for name in ("once", "again"):
        request = request_of(checkpoints["llava"], pictures, tmp_path / name, **changes)
        with ModelProcess.fork(log=tmp_path / "stderr.log") as process:
            result = process.run(request)
        assert result is not None
        assert result["type"] == "result", result
        hashes.append(output_hashes(tmp_path / name / "work"))
    first = read_lines(tmp_path / "once" / "work" / "output" / "metrics.jsonl")[0]

    # Policy and reference are one: a DPO term is log 2.
    if "rewards/margins" in first:
        assert first["rewards/margins"] == pytest.approx(0, abs=1e-4)
        expected = math.log(2) - first["logps/chosen"] / 1024
        if changes == MDPO:
            expected += 0.7 * math.log(2) + 0.3 * math.log(1 + math.exp(0.05))
        if changes == POVID:
            expected = (0.7 + 0.4) * math.log(2)
        assert first["loss"] == pytest.approx(expected, abs=1e-4)
    assert hashes[0] == hashes[1]


def test_the_reference_may_be_the_base_of_an_adapter(
    checkpoints: dict[str, Path], pictures: Path, tmp_path: Path
) -> None:
    """Rounds of the released code go on from an adapter and compare with the model without it."""
    first = preference_request(checkpoints["llava"], pictures, tmp_path / "1", num_pairs=NUM_PAIRS)
    with ModelProcess.fork(log=tmp_path / "stderr.log") as process:
        process.run(first)
    adapter = {"path": str(tmp_path / "1" / "work" / "output"), "sha256": "b" * 64}
    margins = {}
    for name, changes in {"own": {}, "base": released("labels", "clean")}.items():
        request = preference_request(
            checkpoints["llava"], pictures, tmp_path / name, num_pairs=NUM_PAIRS,
            adapter=adapter, **changes,
        )  # fmt: skip
        with ModelProcess.fork(log=tmp_path / "stderr.log") as process:
            result = process.run(request)
        assert result is not None
        assert result["type"] == "result", result
        rows = read_lines(tmp_path / name / "work" / "output" / "metrics.jsonl")
        margins[name] = rows[0]["rewards/margins"]

    assert margins["own"] == pytest.approx(0, abs=1e-4)
    assert margins["base"] > 0.01
