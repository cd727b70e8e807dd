"""One row `[prompt + image | chosen | rejected]` scores as two plain passes of the model do.

What li-plus/flash-pref does by patching and trl pull request 7328 for text: no text of a pair may see
the other, and the positions of both go on from the prompt.
"""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from model_process import ModelProcess
from tiny_models import FAMILIES
from tiny_requests import SIZES, pair_rows, read_lines
from training_parts import Messages, open_scorer, open_training, preference_request

from sticflow_ml.contract import PreferencePair
from sticflow_ml.forward import Sharing, score
from sticflow_ml.pair_scorer import PairScorer
from sticflow_ml.shared_prefix import Row, lay_out
from sticflow_ml.training import Training

NUM_PAIRS = 4
# Largest difference of a token's log-probability in float32. Sums of a softmax run in another order.
TOLERANCE = 2e-5

Opened = tuple[Training, PairScorer, list[PreferencePair]]


@pytest.fixture(params=list(FAMILIES))
def opened(
    request: pytest.FixtureRequest, checkpoints: dict[str, Path], pictures: Path, tmp_path: Path
) -> Opened:
    training = open_training(
        preference_request(checkpoints[request.param], pictures, tmp_path, num_pairs=NUM_PAIRS),
        Messages(),
    )
    training.policy.eval()
    return training, *open_scorer(training, NUM_PAIRS)


def _by_completion(training: Training, rows: list[Row], pairs: list[PreferencePair]):
    """Log-probabilities of the tokens of every completion of every row, from one shared pass."""
    pad = training.loaded.chat.pad_token_id
    images = [training.images.get(pair.images[0]) for pair in pairs]
    tensors = lay_out(rows, pad_token_id=pad)
    with torch.no_grad():
        logps_BN = score(training.policy, training.loaded, tensors, images)
    return [
        [logps_N[completion_N == number] for number in range(len(row.completions))]
        for row, logps_N, completion_N in zip(rows, logps_BN, tensors.completion_BN, strict=True)
    ]


def _plain(training: Training, row: Row, completion: list[int], pair: PreferencePair):
    """The same from the model's own forward: one text, no padding, pixels in, all logits out."""
    image = training.loaded.images(training.request.image_roots).get(pair.images[0], encoded=False)
    ids_1T = torch.tensor([[*row.prompt_ids, *completion]])
    with torch.no_grad():
        logits_1TV = training.loaded.model(input_ids=ids_1T, **image.inputs).logits
    logps_TV = torch.log_softmax(logits_1TV[0, len(row.prompt_ids) - 1 : -1], dim=-1)
    return logps_TV.gather(-1, torch.tensor(completion).unsqueeze(-1)).squeeze(-1)


def test_every_token_scores_as_in_two_plain_passes(opened: Opened) -> None:
    training, scorer, pairs = opened
    rows = [scorer.row(pair) for pair in pairs]

    shared = _by_completion(training, rows, pairs)

    assert scorer.sharing.is_shared
    for row, pair, of_row in zip(rows, pairs, shared, strict=True):
        for completion, logps_T in zip(row.completions, of_row, strict=True):
            expected_T = _plain(training, row, completion, pair)
            assert len(logps_T) == len(completion)
            assert float((logps_T - expected_T).abs().max()) < TOLERANCE


@pytest.mark.parametrize("opened", ["llava_next", "idefics3"], indirect=True)
def test_images_of_one_batch_may_differ_in_tokens(opened: Opened) -> None:
    training, scorer, pairs = opened
    counts = {
        training.loaded.chat.count_image_tokens(scorer.row(pair).prompt_ids) for pair in pairs
    }
    assert len(counts) > 1, "the batch of the test before would show nothing"


@pytest.mark.parametrize("changed", [0, 1])
def test_no_text_of_a_pair_sees_the_other(opened: Opened, changed: int) -> None:
    # Same length: only then must the very bits stay.
    training, scorer, pairs = opened
    rows = [scorer.row(pair) for pair in pairs]
    before = _by_completion(training, rows, pairs)
    other_words = [
        replace(
            row,
            completions=[
                [_another(token) for token in completion] if number == changed else completion
                for number, completion in enumerate(row.completions)
            ],
        )
        for row in rows
    ]

    after = _by_completion(training, other_words, pairs)

    for of_row_before, of_row_after in zip(before, after, strict=True):
        assert torch.equal(of_row_before[1 - changed], of_row_after[1 - changed])
        assert not torch.equal(of_row_before[changed], of_row_after[changed])


def _another(token: int) -> int:
    """Another token that is a piece of text, never one of the special tokens before them."""
    return 50 + (token - 49) % 300


def test_a_longer_chosen_text_leaves_the_rejected_as_it_was(opened: Opened) -> None:
    training, scorer, pairs = opened
    rows = [scorer.row(pair) for pair in pairs]
    longer = [
        replace(row, completions=[row.completions[0] * 3, row.completions[1]]) for row in rows
    ]

    before, after = (_by_completion(training, one, pairs) for one in (rows, longer))

    for of_row_before, of_row_after in zip(before, after, strict=True):
        assert float((of_row_before[1] - of_row_after[1]).abs().max()) < TOLERANCE


def test_another_image_changes_every_token(opened: Opened) -> None:
    # transformers issue 43386: a text-only path that nobody notices
    training, scorer, _ = opened
    pairs = [PreferencePair.model_validate(row) for row in pair_rows(len(SIZES))]
    lengths = [len(scorer.row(pair).prompt_ids) for pair in pairs]
    length = max(lengths, key=lengths.count)
    first, second, *_ = (pair for pair, its in zip(pairs, lengths, strict=True) if its == length)
    row = scorer.row(first)

    [of_first] = _by_completion(training, [row], [first])
    [of_second] = _by_completion(training, [row], [second])

    for one, other in zip(of_first, of_second, strict=True):
        assert bool((one != other).all())


def test_two_passes_sum_to_what_one_shared_pass_does(opened: Opened) -> None:
    training, scorer, pairs = opened
    rows = [scorer.row(pair) for pair in pairs]
    with torch.no_grad():
        shared = scorer.logps(training.policy, pairs, rows)
        scorer.sharing = Sharing(False, "asked for by this test")
        apart = scorer.logps(training.policy, pairs, rows)

    num_tokens = max(len(ids) for row in rows for ids in row.completions)
    for one, other in (
        (shared.chosen_B, apart.chosen_B),
        (shared.rejected_B, apart.rejected_B),
    ):
        assert float((one - other).abs().max()) < TOLERANCE * num_tokens


@pytest.fixture(params=[8, 512], ids=["window inside a row", "window beyond every row"])
def windowed(request: pytest.FixtureRequest, checkpoints: dict[str, Path], tmp_path: Path) -> Path:
    """The tiny LLaVA with Mistral's sliding window: a family whose mask is not ours to draw."""
    folder = tmp_path / "windowed"
    shutil.copytree(checkpoints["llava"], folder)
    config = json.loads((folder / "config.json").read_text())
    config["text_config"] |= {
        "model_type": "mistral",
        "architectures": ["MistralForCausalLM"],
        "sliding_window": request.param,
    }
    (folder / "config.json").write_text(json.dumps(config))
    return folder


def test_a_family_that_cannot_share_says_so_everywhere(
    windowed: Path, pictures: Path, tmp_path: Path
) -> None:
    request = preference_request(windowed, pictures, tmp_path, num_pairs=NUM_PAIRS)

    with ModelProcess.fork() as process:
        result = process.run(request)

    assert result is not None
    assert result["type"] == "result", result
    assert result["summary"]["forward"] == "two_passes"
    [notice] = [one for one in process.messages if one.get("name") == "prefix_not_shared"]
    assert "window" in notice["detail"]
    output = Path(request["work_dir"]) / "output"
    facts = json.loads((output / "training.json").read_text())
    assert facts["forward"] == "two_passes"
    assert "attention" not in facts
    assert "window" in facts["forward_reason"]
    assert {row["shares_prefix"] for row in read_lines(output / "metrics.jsonl")} == {0}


def test_a_family_that_shares_says_so_too(
    checkpoints: dict[str, Path], pictures: Path, tmp_path: Path
) -> None:
    request = preference_request(checkpoints["llava"], pictures, tmp_path, num_pairs=NUM_PAIRS)

    with ModelProcess.fork() as process:
        result = process.run(request)

    assert result is not None
    assert result["summary"]["forward"] == "shared_prefix"
    output = Path(request["work_dir"]) / "output"
    rows = read_lines(output / "metrics.jsonl")
    assert {row["shares_prefix"] for row in rows} == {1}
    assert json.loads((output / "training.json").read_text())["attention"] == ["split"]


def test_the_two_passes_of_a_windowed_family_score_as_the_model_itself_does(
    windowed: Path, pictures: Path, tmp_path: Path
) -> None:
    training = open_training(
        preference_request(windowed, pictures, tmp_path, num_pairs=NUM_PAIRS), Messages()
    )
    training.policy.eval()
    scorer, pairs = open_scorer(training, NUM_PAIRS)
    rows = [scorer.row(pair) for pair in pairs]

    with torch.no_grad():
        sums = scorer.logps(training.policy, pairs, rows)

    for side, actual_B in enumerate((sums.chosen_B, sums.rejected_B)):
        for row, pair, actual in zip(rows, pairs, actual_B, strict=True):
            expected_T = _plain(training, row, row.completions[side], pair)
            assert float(actual) == pytest.approx(float(expected_T.sum()), abs=1e-4)
