"""Strategies that score the chosen text on a corrupted image: mdpo and povid."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch
from model_process import ModelProcess
from opened_strategy import MDPO, NUM_PAIRS, POVID, Opened, opened, rows_with_contrast
from training_parts import preference_request

from sticflow_ml.losses import token_logps
from sticflow_ml.pair_scorer import text_row, text_scores
from sticflow_ml.strategies.strategy import Logps

# --- mdpo ---


def test_mdpo_scores_the_chosen_text_on_the_corrupted_image_too(
    checkpoints: dict[str, Path], pictures: Path, tmp_path: Path
) -> None:
    one = opened(checkpoints["llava_next"], pictures, tmp_path / "mdpo", **MDPO)
    moved = rows_with_contrast()
    for row in moved:
        row["images"] = [row["provenance"]["contrast"]["image"]]
    other = opened(checkpoints["llava_next"], pictures, tmp_path / "moved", rows=moved)

    with torch.no_grad():
        scores = [
            each.strategy.score(
                each.training.policy, each.pairs, [each.strategy.row(pair) for pair in each.pairs]
            )
            for each in (one, other)
        ]

    assert scores[0]["contrast"].tolist() == pytest.approx(scores[1]["chosen"].tolist(), rel=1e-5)
    assert scores[0]["contrast"].tolist() != pytest.approx(scores[0]["chosen"].tolist(), rel=1e-5)


def test_mdpo_is_dpo_plus_its_two_terms(
    checkpoints: dict[str, Path], pictures: Path, tmp_path: Path
) -> None:
    one = opened(checkpoints["llava"], pictures, tmp_path / "mdpo", **MDPO)
    paper = opened(checkpoints["llava"], pictures, tmp_path / "paper")
    rows = [one.strategy.row(pair) for pair in one.pairs]
    with torch.no_grad():
        policy = one.strategy.score(one.training.policy, one.pairs, rows)
        with one.training.policy.disable_adapter():
            reference = one.strategy.score(one.training.policy, one.pairs, rows)

    expected = 0.0
    for clean, contrast in zip(
        (policy["chosen"] - reference["chosen"]).tolist(),
        (policy["contrast"] - reference["contrast"]).tolist(),
        strict=True,
    ):
        conditional = math.log(1 + math.exp(-0.1 * (clean - contrast)))
        anchored = math.log(1 + math.exp(-(0.1 * clean - 0.05)))
        expected += (0.7 * conditional + 0.3 * anchored) / NUM_PAIRS
    assert one.loss([0, 1, 2, 3])[0] == pytest.approx(
        paper.loss([0, 1, 2, 3])[0] + expected, abs=1e-5
    )


def test_a_pair_without_its_corrupted_image_is_named(
    checkpoints: dict[str, Path], pictures: Path, tmp_path: Path
) -> None:
    request = preference_request(
        checkpoints["llava"], pictures, tmp_path / "w", num_pairs=NUM_PAIRS, **MDPO
    )
    with ModelProcess.fork(log=tmp_path / "stderr.log") as process:
        result = process.run(request)

    assert result is not None
    assert result["code"] == "DataInvalid"
    assert "contrast image on the pair `pair-0`" in result["message"]


# --- povid ---


def scores_of(one: Opened) -> tuple[Logps, Logps]:
    """Of the policy and of the reference."""
    rows = [one.strategy.row(pair) for pair in one.pairs]
    with torch.no_grad():
        policy = one.strategy.score(one.training.policy, one.pairs, rows)
        with one.training.policy.disable_adapter():
            reference = one.strategy.score(one.training.policy, one.pairs, rows)
    return policy, reference


@pytest.mark.parametrize("family", ["llava", "llava_next"])
def test_povid_scores_on_the_clean_image_what_the_noisy_one_would_say(
    checkpoints: dict[str, Path], pictures: Path, tmp_path: Path, family: str
) -> None:
    one = opened(checkpoints[family], pictures, tmp_path / "povid", **POVID)
    (policy, reference), training = scores_of(one), one.training

    # Pair by pair, so that no padding and no batch is in it.
    for place, pair in enumerate(one.pairs):
        contrast = pair.provenance.contrast
        assert contrast is not None
        with torch.no_grad():
            noisy_row = text_row(training, pair.prompt, [pair.chosen], image=contrast.image)
            said = text_scores(
                training.policy, training, [noisy_row], [contrast.image],
                pick=lambda logits, _: logits.argmax(-1),
            )  # fmt: skip
            clean_row = text_row(training, pair.prompt, [pair.chosen], image=pair.images[0])
            expected = text_scores(
                training.policy, training, [clean_row], [pair.images[0]],
                pick=lambda logits, _, said=said: token_logps(logits, said),
            )  # fmt: skip
        assert float(policy["noisy"][place]) == pytest.approx(float(expected.sum()), rel=1e-4)
    # Each picks its own tokens: the reference's sum is not the policy's.
    assert policy["noisy"].tolist() != pytest.approx(reference["noisy"].tolist(), rel=1e-5)


def test_povid_is_its_two_weighted_terms(
    checkpoints: dict[str, Path], pictures: Path, tmp_path: Path
) -> None:
    one = opened(checkpoints["llava"], pictures, tmp_path / "povid", **POVID)
    policy, reference = scores_of(one)
    ratios = {name: (policy[name] - reference[name]).tolist() for name in policy}

    expected = sum(
        0.7 * math.log(1 + math.exp(-0.1 * (chosen - rejected)))
        + 0.4 * math.log(1 + math.exp(-0.1 * (chosen - noisy)))
        for chosen, rejected, noisy in zip(
            ratios["chosen"], ratios["rejected"], ratios["noisy"], strict=True
        )
    )
    assert one.loss([0, 1, 2, 3])[0] == pytest.approx(expected / NUM_PAIRS, abs=1e-6)


def test_povid_without_noise_needs_no_noisy_image(
    checkpoints: dict[str, Path], pictures: Path, tmp_path: Path
) -> None:
    objective = {"kind": "povid", "rejected_weight": 1.0, "noisy_weight": 0.0}
    rows = rows_with_contrast()
    for row in rows:
        del row["provenance"]["contrast"]
    one = opened(checkpoints["llava"], pictures, tmp_path / "povid", rows=rows, objective=objective)
    dpo = opened(
        checkpoints["llava"], pictures, tmp_path / "dpo",
        loss={"beta": 0.1, "chosen_nll_weight": 0.0, "nll_reduction": "sum"},
    )  # fmt: skip

    assert one.loss([0, 1, 2, 3])[0] == pytest.approx(dpo.loss([0, 1, 2, 3])[0], abs=1e-6)
