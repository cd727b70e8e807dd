"""How many texts are written at once where `generation.batch_size` is `auto`: as many as memory holds."""

from __future__ import annotations

from sticflow_ml.devices import fits
from sticflow_ml.memory import Dimensions, generation_terms, total

# More rows gain little and make a block, what an interruption costs, long. Requests are cut into blocks by
# this number and not by memory, so that another machine goes on with what one has begun.
MAX_ROWS = 64


def rows_that_fit(
    sizes: Dimensions,
    *,
    num_prompt_tokens: int,
    max_new_tokens: int,
    dtype: str,
    free_bytes: int,
) -> int:
    """Largest power of two of rows whose cache and passes fit into what is free; at least 1.

    Args:
        sizes: Of the model, whose weights are in memory already.
        num_prompt_tokens: Of the longest prompt, image tokens included.
        max_new_tokens: Of the longest text.
        dtype: Of weights and cache.
        free_bytes: Of the device.
    """
    rows = 1
    while rows < MAX_ROWS and fits(
        _bytes_of(2 * rows, sizes, num_prompt_tokens, max_new_tokens, dtype), free_bytes
    ):
        rows *= 2
    return rows


def _bytes_of(
    num_rows: int, sizes: Dimensions, num_prompt_tokens: int, max_new_tokens: int, dtype: str
) -> int:
    terms = generation_terms(
        sizes,
        num_rows=num_rows,
        num_prompt_tokens=num_prompt_tokens,
        max_new_tokens=max_new_tokens,
        weights_bytes=0,
        adapter=None,
        dtype=dtype,
        device="cpu",
    )
    # Weights and framework are not free any more.
    return total(terms) - terms["framework"]
