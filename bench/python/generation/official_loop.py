"""The peer: one call of transformers' `generate` a prompt, as STIC's scripts do it.

STIC 993734e, `stic/generate_des_for_pref_data.py`: batch 1, the picture decoded, processed and
encoded anew for every prompt. Greedy here, so that texts can be compared.
"""

from __future__ import annotations

from pathlib import Path

import torch
from PIL import Image
from transformers import PreTrainedModel, ProcessorMixin


@torch.no_grad()
def write_texts(
    model: PreTrainedModel,
    processor: ProcessorMixin,
    asked: list[tuple[Path, str]],
    *,
    max_new_tokens: int,
) -> list[list[int]]:
    """Answer every prompt about its picture.

    Returns:
        Token ids without the stop token, in the order of `asked`.
    """
    texts: list[list[int]] = []
    for picture, prompt in asked:
        content = [{"type": "image"}, {"type": "text", "text": prompt}]
        with Image.open(picture) as image:
            inputs = processor(
                text=processor.apply_chat_template(
                    [{"role": "user", "content": content}], add_generation_prompt=True
                ),
                images=image.convert("RGB"),
                return_tensors="pt",
            )
        inputs = inputs.to(model.device, dtype=model.dtype)
        ids_1T = model.generate(**inputs, do_sample=False, max_new_tokens=max_new_tokens)
        new_T = ids_1T[0, inputs["input_ids"].shape[1] :]
        stop = processor.tokenizer.eos_token_id
        texts.append([token for token in new_T.tolist() if token != stop])
    return texts
