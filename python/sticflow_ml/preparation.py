"""What is worked out once for every example before the first step, and kept in the work folder.

Lengths, to leave over-long examples out; for pairs also the reference's log-probabilities, computed
while policy and reference are still the same. A later attempt goes on where this one stopped.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

from sticflow_ml.errors import SticflowError
from sticflow_ml.lines import PartialLines
from sticflow_ml.objective import Workplace
from sticflow_ml.protocol import Reporter
from sticflow_ml.work_folder import read_json, write_json

Example = TypeVar("Example")

NUM_IDS_IN_NOTICE = 20


def prepare(
    examples: Sequence[Example],
    work: Callable[[Sequence[Example]], list[dict[str, Any]]],
    *,
    path: Path,
    fingerprint: dict[str, Any],
    group_size: int,
    workplace: Workplace,
) -> list[dict[str, Any]]:
    """Run `work` over all examples in groups of fixed places and keep its lines in `path`.

    Args:
        examples: In the order of their file.
        work: Returns one JSON line an example.
        path: JSONL of the results; `<name>.json` beside it holds the fingerprint.
        fingerprint: What the lines depend on. Lines of another fingerprint are refused, with the
            names of what changed in a `notice`, and computed anew.
        group_size: Part of exactness: log-probabilities depend on the rows of a batch.
        workplace: Whom to tell, and whether to stop.

    Raises:
        Stopped: SIGTERM came; whole groups are kept.
    """
    world = workplace.world
    groups = [examples[start : start + group_size] for start in range(0, len(examples), group_size)]
    stored = None
    if world.is_first:
        _forget_others(path, fingerprint, workplace.reporter)
        stored = PartialLines(path, [len(group) for group in groups])
    try:
        lines, num_done = world.from_first(stored and [stored.lines, stored.num_groups])
        lines = list(lines)
        for start in range(num_done, len(groups), world.size):
            # A group for each rank; which rank it is does not matter to its lines.
            wave = groups[start : start + world.size]
            workplace.lifeline.raise_if_stopped()
            workplace.faults.reach("preparation.group")
            own = wave[world.rank] if world.rank < len(wave) else []
            made = world.gather(work(own))
            for of_group in made[: len(wave)]:
                if stored is not None:
                    stored.append(of_group)
                lines += of_group
            workplace.reporter.progress("reference", len(lines), len(examples), "items")
        return lines
    finally:
        if stored is not None:
            stored.close()


def _forget_others(path: Path, fingerprint: dict[str, Any], reporter: Reporter) -> None:
    """Delete lines that were made from something else, and note what they are made from now."""
    fingerprint_path = path.with_suffix(".json")
    if path.exists() and not fingerprint_path.exists():
        path.unlink()
    if fingerprint_path.exists():
        before = read_json(fingerprint_path)
        changed = [name for name, value in fingerprint.items() if before.get(name) != value]
        if changed:
            path.unlink(missing_ok=True)
            reporter.notice(
                f"{path.stem}_refused",
                f"the stored lines were made with another {', '.join(changed)}; computed anew",
            )
    write_json(fingerprint_path, fingerprint)


def keep_fitting(
    example_ids: Sequence[str],
    lengths: Sequence[int],
    *,
    max_length: int,
    reporter: Reporter,
) -> tuple[list[int], dict[str, Any]]:
    """Leave out what is longer than the limit: cut texts would teach to stop in mid-sentence.

    Returns:
        Indices of the examples that stay, and the facts for training.json.

    Raises:
        SticflowError: `DataInvalid` when nothing stays.
    """
    kept = [index for index, length in enumerate(lengths) if length <= max_length]
    dropped = [
        example_id
        for example_id, length in zip(example_ids, lengths, strict=True)
        if length > max_length
    ]
    if dropped:
        shown = ", ".join(dropped[:NUM_IDS_IN_NOTICE])
        reporter.notice(
            "dropped_over_length", f"{len(dropped)} longer than {max_length} tokens: {shown}"
        )
    if not kept:
        raise SticflowError(
            "DataInvalid",
            f"Expected examples of at most {max_length} tokens to train on, but all "
            f"{len(lengths)} are longer (the shortest has {min(lengths, default=0)}). Raise "
            "max_length, or lower generation.max_new_tokens.",
            num_examples=len(lengths),
        )
    facts = {
        "num_examples": len(kept),
        "dropped_over_length": dropped,
        "longest_example_tokens": max(lengths[index] for index in kept),
    }
    return kept, facts
