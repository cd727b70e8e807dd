"""The files of a shard of texts, the same from every engine: what is finished, what is the result.

A partial file grows while the work goes on and survives it; the result is written once, in the order of
the requests, so that its bytes do not tell how often the work was interrupted.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sticflow_ml.contract import GenerateRequest, Generation, GenerationRequest
from sticflow_ml.lines import PartialLines, read_records
from sticflow_ml.protocol import Reporter
from sticflow_ml.work_folder import fill_directory, read_json, sha256_of_file, write_json


class GenerationFiles:
    """Requests, partial texts and result of one `generate` request.

    Args:
        request: Names the folder and the file of requests.
        knobs: What the bytes of the result depend on besides requests and policy.
        reporter: Hears of what was kept or thrown away.

    Raises:
        SticflowError: `DataInvalid` when the file of requests is broken.
    """

    def __init__(
        self, request: GenerateRequest, knobs: dict[str, Any], *, reporter: Reporter
    ) -> None:
        self.requests = read_records(
            Path(request.requests_path), GenerationRequest, key="request_id"
        )
        self._identity = {
            "requests_sha256": sha256_of_file(Path(request.requests_path)),
            "model_sha256": request.model.sha256,
            "adapter_sha256": None if request.adapter is None else request.adapter.sha256,
            **knobs,
        }
        self._reporter = reporter
        self._work_dir = Path(request.work_dir)
        self._output = self._work_dir / "output"

    @property
    def is_finished(self) -> bool:
        """True when the result of this very work is there."""
        path = self._output / "generation.json"
        if not path.exists():
            return False
        facts = read_json(path)
        return all(facts.get(name) == value for name, value in self._identity.items())

    def open_partial(self, group_sizes: Sequence[int]) -> PartialLines:
        """Go on where the last attempt stopped, if it did the same work."""
        path = self._work_dir / "generations.partial.jsonl"
        identity_path = self._work_dir / "generations.partial.json"
        if identity_path.exists():
            before = read_json(identity_path)
            changed = [name for name, value in self._identity.items() if before.get(name) != value]
            if changed:
                path.unlink(missing_ok=True)
                self._reporter.notice(
                    "partial_discarded", f"made with another {', '.join(changed)}; starting anew"
                )
        else:
            path.unlink(missing_ok=True)
        write_json(identity_path, self._identity)
        partial = PartialLines(path, group_sizes)
        if partial.lines:
            total = len(self.requests)
            self._reporter.notice("resumed", f"{len(partial.lines)} of {total} texts kept")
        return partial

    def write_output(
        self,
        generations: Sequence[Generation],
        *,
        facts: dict[str, Any],
        deviations: Sequence[dict[str, Any]],
    ) -> None:
        """Write the result files.

        Args:
            generations: In the order of the requests.
            facts: About the engine, for `generation.json`.
            deviations: What was not done as asked.
        """

        def fill(folder: Path) -> None:
            with (folder / "generations.jsonl").open("w", encoding="utf-8") as file:
                for generation in generations:
                    file.write(generation.model_dump_json() + "\n")
            content = {
                **self._identity,
                **facts,
                "num_requests": len(generations),
                "num_images": len({image_key(row) for row in self.requests} - {None}),
                "num_tokens": sum(generation.num_tokens for generation in generations),
                "num_cut": sum(generation.finish_reason == "length" for generation in generations),
                "deviations": list(deviations),
            }
            write_json(folder / "generation.json", content)

        fill_directory(self._output, fill)

    def report(self) -> None:
        """Close the request with what the result says of itself."""
        facts = read_json(self._output / "generation.json")
        self._reporter.result(
            len(self.requests),
            {
                "num_tokens": facts["num_tokens"],
                "num_cut": facts["num_cut"],
                "num_deviations": len(facts["deviations"]),
            },
        )


def image_order(requests: Sequence[GenerationRequest]) -> list[int]:
    """Places of the requests with those about one image together: a pure function of the file.

    Its image is encoded, or found in a prefix cache, once; images keep the order in which the file
    names them first.
    """
    first_place: dict[tuple[str, str] | None, int] = {}
    for place, request in enumerate(requests):
        first_place.setdefault(image_key(request), place)
    return sorted(range(len(requests)), key=lambda place: first_place[image_key(requests[place])])


def image_key(request: GenerationRequest) -> tuple[str, str] | None:
    """What makes two requests be about the same image; None = about text alone."""
    return None if request.image is None else (request.image.root, request.image.file)
