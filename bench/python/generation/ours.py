"""Ours: the prompts and the loop of `generate`, without its files and messages."""

from __future__ import annotations

from pathlib import Path

from product import open_images

from sticflow_ml.contract import ImageContent, ImageFile, TextContent, UserMessage
from sticflow_ml.decoding import write_texts
from sticflow_ml.model import LoadedModel
from sticflow_ml.prefill import Prompt


def write_all(
    loaded: LoadedModel,
    asked: list[tuple[Path, str]],
    *,
    max_new_tokens: int,
    max_rows: int,
) -> list[list[int]]:
    """Answer every prompt about its picture; all pictures lie in one folder.

    Returns:
        Token ids without the stop token, in the order of `asked`.
    """
    images = open_images(loaded, asked[0][0].parent)
    rows: list[Prompt] = []
    for picture, prompt in asked:
        image = images.get(ImageFile(root="images", file=picture.name))
        content = [ImageContent(type="image"), TextContent(type="text", text=prompt)]
        message = UserMessage(role="user", content=content)
        ids = loaded.chat.prompt_ids([message], image.replacement)
        rows.append(Prompt(ids, image, 0.0, 1.0, max_new_tokens, seed=0))
    written = write_texts(loaded, rows, max_rows=max_rows, on_step=lambda finished: None)
    return [row.token_ids for row in written]
