"""`metrics.jsonl`: one line an optimizer step, cut back to the checkpoint when a training resumes."""

from __future__ import annotations

import json
from pathlib import Path

from sticflow_ml.protocol import Reporter
from sticflow_ml.work_folder import out_of_space_named, replace_file, sync_file


class TrainingMetrics:
    """Metrics of one training. No wall-clock times: the same training writes the same bytes."""

    def __init__(self, path: Path, reporter: Reporter) -> None:
        self._path = path
        self._reporter = reporter
        self.rows: list[dict[str, float]] = []

    def cut_back(self, step: int) -> None:
        """Forget what came after the checkpoint of `step`, a torn line included."""
        self.rows = []
        if self._path.exists():
            for line in self._path.read_text(encoding="utf-8").split("\n")[:-1]:
                row = json.loads(line)
                if row["step"] > step:
                    break
                self.rows.append(row)
        replace_file(self._path, self.text())

    def append(self, step: int, values: dict[str, float]) -> None:
        """Add the line of a step."""
        row = {"step": step, **values}
        self.rows.append(row)
        with out_of_space_named(self._path), self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")
        self._reporter.metric(step, values)

    def sync(self) -> None:
        """Make the lines survive a loss of power."""
        sync_file(self._path)

    def text(self) -> str:
        """The whole file."""
        return "".join(json.dumps(row) + "\n" for row in self.rows)
