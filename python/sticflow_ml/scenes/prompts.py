"""The prompts that the base model learns to answer: the project's own prompt file, as it ships."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

PROMPT_FILE = Path(__file__).parents[3] / "config" / "prompts" / "stic.yaml"


@dataclass(frozen=True)
class Prompts:
    """The texts of a prompt file by role (STIC, arXiv:2405.19716, appendix A)."""

    well_crafted: str
    normal: tuple[str, ...]
    bad: tuple[str, ...]
    description_prompt: str
    question_template: str

    def texts(self) -> list[str]:
        """Return every text once, for the tokenizer."""
        return [self.well_crafted, *self.normal, *self.bad, self.question_template]


def load_prompts(path: Path = PROMPT_FILE) -> Prompts:
    """Read a prompt file; the product validates users' files, this reads the shipped one."""
    content: Any = yaml.safe_load(path.read_text(encoding="utf-8"))
    respond = content["describe_and_respond"]
    return Prompts(
        well_crafted=content["well_crafted"]["text"],
        normal=tuple(content["normal"]["items"]),
        bad=tuple(content["bad"]["items"]),
        description_prompt=respond["description_prompt"],
        question_template=respond["question_template"],
    )


def described(prompts: Prompts, description: str, question: str) -> str:
    """Return the question with a description in front (describe-and-respond)."""
    return prompts.question_template.format(description=description, question=question)
