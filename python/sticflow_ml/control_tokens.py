"""Keep what people wrote from being taken for control tokens, without loading a tokenizer.

`chat.py` does the same for our own engine: a question that mentions `<image>` or `</s>` has neither an
image nor an end in it.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

from sticflow_ml.errors import SticflowError


def control_token_pattern(model_folder: Path) -> re.Pattern[str]:
    """Pattern of every token that the checkpoint's tokenizer has added to its vocabulary.

    Raises:
        SticflowError: `ModelInvalid` when there is no tokenizer.json that lists them.
    """
    path = model_folder / "tokenizer.json"
    try:
        added = json.loads(path.read_text(encoding="utf-8"))["added_tokens"]
        contents = {str(token["content"]) for token in added} - {""}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise SticflowError(
            "ModelInvalid",
            "Expected a tokenizer.json with added_tokens in the model folder, got: "
            f"{type(error).__name__}. Fetch the complete checkpoint.",
        ) from error
    if not contents:
        return re.compile(r"(?!)")
    longest_first = sorted(contents, key=lambda content: (-len(content), content))
    return re.compile("|".join(map(re.escape, longest_first)))
