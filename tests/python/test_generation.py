"""`generate` on tiny random checkpoints of the real classes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from generation_runs import NUM_ROWS, generated, generation_builder, texts
from model_process import ModelProcess
from tiny_models import FAMILIES
from tiny_requests import (
    generation_rows,
    output_hashes,
    pair_rows,
    work_request,
    write_lines,
)


@pytest.fixture
def request_for(checkpoints: dict[str, Path], pictures: Path, tmp_path: Path):
    return generation_builder(checkpoints, pictures, tmp_path)


@pytest.mark.parametrize("family", FAMILIES)
def test_every_family_answers_every_request_in_order(request_for, family: str) -> None:
    request = request_for("work", family=family)

    generated(request)

    written = texts(request)
    assert [text["request_id"] for text in written] == [f"row-{n}" for n in range(NUM_ROWS)]
    for text, row in zip(written, generation_rows(NUM_ROWS), strict=True):
        assert text["num_tokens"] <= row["max_new_tokens"]
        assert (text["finish_reason"] == "length") == (text["num_tokens"] == row["max_new_tokens"])


@pytest.mark.parametrize("family", FAMILIES)
def test_a_text_does_not_depend_on_the_batch_it_is_written_in(request_for, family: str) -> None:
    # transformers issues 32268 and 30962, LLaVA issues 709 and 754, LLaVA-NeXT issues 365 and 398:
    # right padding changed texts silently
    alone = request_for("alone", family=family, batch_size=1)
    together = request_for("together", family=family, batch_size=NUM_ROWS)

    generated(alone, together)

    assert texts(alone) == texts(together)


def test_a_text_does_not_depend_on_the_other_requests_of_its_file(request_for) -> None:
    rows = generation_rows(NUM_ROWS)
    whole, part = request_for("whole", rows=rows), request_for("part", rows=rows[4:9])

    generated(whole, part)

    assert texts(part) == texts(whole)[4:9]


def test_the_seed_of_a_row_decides_its_sampled_text_and_no_other(request_for) -> None:
    rows = generation_rows(6, temperature=1.0, top_p=None, max_new_tokens=12)
    other = [{**row, "seed": 77} if row["request_id"] == "row-2" else row for row in rows]
    first, second = request_for("first", rows=rows), request_for("second", rows=other)

    generated(first, second)

    changed = [a != b for a, b in zip(texts(first), texts(second), strict=True)]
    assert changed == [False, False, True, False, False, False]


@pytest.mark.parametrize("family", FAMILIES)
def test_the_image_decides_the_text(request_for, family: str) -> None:
    # transformers issues 43386 and 44436: a fall-back to text-only generation would not fail
    rows = generation_rows(3, temperature=0, max_new_tokens=12)
    other = [{**row, "image": {"root": "images", "file": "3.png"}} for row in rows]
    first = request_for("first", family=family, rows=rows)
    second = request_for("second", family=family, rows=other)

    generated(first, second)

    assert all(a["text"] != b["text"] for a, b in zip(texts(first), texts(second), strict=True))


@pytest.mark.parametrize("family", FAMILIES)
def test_prompts_of_text_alone_go_among_those_with_an_image(request_for, family: str) -> None:
    rows = [
        {**row, "image": None} if number % 3 == 1 else row
        for number, row in enumerate(generation_rows(9, temperature=0, max_new_tokens=12))
    ]
    whole = request_for("whole", family=family, rows=rows)
    texts_alone = request_for("alone", family=family, rows=rows[1::3])
    images_alone = request_for("images", family=family, rows=rows[::3])

    generated(whole, texts_alone, images_alone)

    assert texts(whole)[1::3] == texts(texts_alone)
    assert texts(whole)[::3] == texts(images_alone)


def test_a_prompt_of_text_alone_has_no_image_token(request_for) -> None:
    rows = generation_rows(3, temperature=0, max_new_tokens=12)
    seen = request_for("seen", rows=rows)
    blind = request_for("blind", rows=[{**row, "image": None} for row in rows])

    generated(seen, blind)

    assert all(a["text"] != b["text"] for a, b in zip(texts(seen), texts(blind), strict=True))
    facts = json.loads((Path(blind["work_dir"]) / "output" / "generation.json").read_text())
    assert facts["num_images"] == 0


def test_a_generation_killed_anywhere_ends_with_the_same_bytes(request_for) -> None:
    whole, killed = request_for("whole"), request_for("killed")
    generated(whole)
    faults = "generate.block:kill@1,generate.block:kill@2,generate.memory:kill@2"

    results = []
    for attempt in range(1, 5):
        with ModelProcess.fork(faults=faults) as process:
            results.append(process.run({**killed, "attempt": attempt}))

    assert results[:3] == [None, None, None]
    assert results[3] is not None
    assert output_hashes(Path(killed["work_dir"])) == output_hashes(Path(whole["work_dir"]))


def test_a_torn_line_is_written_again(request_for) -> None:
    whole, torn = request_for("whole"), request_for("torn")
    generated(whole)
    with ModelProcess.fork(faults="generate.block:kill@3") as process:
        process.run(torn)
    partial = Path(torn["work_dir"]) / "generations.partial.jsonl"
    partial.write_bytes(partial.read_bytes()[:-7])

    generated(torn)

    assert output_hashes(Path(torn["work_dir"])) == output_hashes(Path(whole["work_dir"]))


def test_texts_of_another_policy_in_the_work_folder_are_not_used(request_for) -> None:
    request = request_for("work")
    with ModelProcess.fork(faults="generate.block:kill@3") as process:
        process.run(request)
    request["model"]["sha256"] = "b" * 64

    process = generated(request)

    assert process.named("notice") == ["partial_discarded"]
    assert "model_sha256" in next(m for m in process.messages if m["type"] == "notice")["detail"]


def test_a_finished_request_is_answered_without_loading_a_model(request_for) -> None:
    request = request_for("work")
    generated(request)

    process = generated({**request, "attempt": 2})

    assert "generating" not in process.named("progress")


def test_the_base_stays_in_memory_between_requests(request_for) -> None:
    process = generated(request_for("first"))
    alone = process.named("progress").count("loading")

    process = generated(request_for("second"), request_for("third"))

    assert process.named("progress").count("loading") == alone


def test_an_adapter_changes_the_texts_and_leaves_with_its_request(
    request_for, checkpoints: dict[str, Path], pictures: Path, tmp_path: Path
) -> None:
    adapter = _trained_adapter(checkpoints["llava"], pictures, tmp_path)
    before, after = request_for("before"), request_for("after")
    adapted = request_for("adapted", adapter=adapter)

    generated(before, adapted, after)

    assert texts(adapted) != texts(before)
    assert texts(after) == texts(before)


def test_an_adapter_of_another_base_is_refused(
    request_for, checkpoints: dict[str, Path], pictures: Path, tmp_path: Path
) -> None:
    adapter = _trained_adapter(checkpoints["llava"], pictures, tmp_path)
    request = request_for("work", adapter=adapter)
    request["model"]["sha256"] = "b" * 64

    with ModelProcess.fork() as process:
        error = process.run(request)

    assert error is not None
    assert error["code"] == "ModelInvalid"
    assert "bbbbbbbbbbbb" in error["message"]


def test_a_missing_image_is_named(request_for) -> None:
    rows = generation_rows(2, image={"root": "images", "file": "absent.png"})
    with ModelProcess.fork() as process:
        error = process.run(request_for("work", rows=rows))

    assert error is not None
    assert error["code"] == "DataInvalid"
    assert error["details"]["image"] == "absent.png"


def test_a_broken_line_is_named_by_file_and_number(request_for) -> None:
    rows = generation_rows(3)
    del rows[1]["seed"]
    with ModelProcess.fork() as process:
        error = process.run(request_for("work", rows=rows))

    assert error is not None
    assert error["code"] == "DataInvalid"
    assert "line 2 of work.jsonl" in error["message"]
    assert "seed" in error["message"]


def _trained_adapter(checkpoint: Path, pictures: Path, tmp_path: Path) -> dict[str, str]:
    from tiny_requests import LORA, LOSS, OPTIMIZATION

    request = work_request(
        "train_preference",
        checkpoint,
        tmp_path / "training",
        pairs_path=str(write_lines(tmp_path / "pairs.jsonl", pair_rows(4))),
        image_roots={"images": str(pictures), "corrupted": None},
        lora=LORA,
        loss=LOSS,
        optimization=OPTIMIZATION | {"learning_rate": 0.1},
    )
    generated(request)
    return {"path": str(tmp_path / "training" / "output"), "sha256": "c" * 64}
