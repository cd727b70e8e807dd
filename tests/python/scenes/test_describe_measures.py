"""The reader of descriptions agrees with the worked examples that bind every reader."""

import json
from dataclasses import asdict
from pathlib import Path

import pytest

from sticflow_ml.scenes.describe_measures import (
    count_claims,
    read_description,
    score_descriptions,
)

DESCRIPTION_CASES = Path(__file__).parents[2] / "fixtures" / "scenes" / "description-cases.jsonl"

CASES = [json.loads(line) for line in DESCRIPTION_CASES.read_text(encoding="utf-8").splitlines()]


@pytest.mark.parametrize("case", CASES, ids=[case["claim"] for case in CASES])
def test_worked_example(case):
    reading = read_description(case["text"])
    counts = count_claims(case["text"], [(item["color"], item["shape"]) for item in case["truth"]])

    assert [asdict(mention) for mention in reading.objects] == case["objects"]
    assert list(reading.things) == case["things"]
    precision = counts.num_right / counts.num_claims if counts.num_claims else None
    assert precision == case["precision"]
    assert counts.num_right / counts.num_true == case["recall"]
    assert counts.hallucinated == case["hallucinated"]


def test_counts_are_summed_before_they_are_divided():
    # 1 of 2 claims right, 2 true; 3 of 3 claims right, 3 true: P = 4/5, R = 4/5, F1 = 8/10; one text of two is false
    first = count_claims("a red ring. a red star.", [("red", "ring"), ("blue", "ring")])
    truth = [("red", "ring"), ("blue", "ring"), ("pink", "star")]
    second = count_claims("a red ring. a blue ring. a pink star.", truth)

    scores = score_descriptions([first, second])

    assert (scores.precision, scores.recall, scores.f1, scores.hallucination) == (
        0.8,
        0.8,
        0.8,
        0.5,
    )


def test_no_description_at_all_is_an_error():
    with pytest.raises(ValueError, match="at least one description"):
        score_descriptions([])
