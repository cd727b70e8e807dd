"""Write texts for many prompts: a fixed number of rows at a time, one token a row and step.

Finished rows leave and waiting prompts take their places, so that one long text does not hold up
the others. A loop of our own because `generate` has no seed for a row, no such refill, and no place
between two tokens at which to report progress or to stop.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

import torch
from torch.nn.functional import pad

from sticflow_ml.errors import SticflowError
from sticflow_ml.key_value_cache import CachedRows, can_join
from sticflow_ml.model import LoadedModel
from sticflow_ml.prefill import Prompt, prefill
from sticflow_ml.sampling import RowRandomness, choose_tokens

# Shape suffixes: B rows of the batch, V vocabulary

# Rows change when so few of their places are in use; each change copies the cache once.
USED_SHARE_TO_CHANGE = 0.75


@dataclass
class Written:
    """What a row has written so far; the stop token is not part of it."""

    randomness: RowRandomness
    token_ids: list[int] = field(default_factory=list)
    finish_reason: Literal["stop", "length"] | None = None


@torch.no_grad()
def write_texts(
    loaded: LoadedModel, prompts: list[Prompt], *, max_rows: int, on_step: Callable[[int], None]
) -> list[Written]:
    """Write one text for every prompt.

    Args:
        loaded: Base with the policy's adapter in place.
        prompts: In the order in which they get a place.
        max_rows: Places.
        on_step: Called after every step with the number of finished texts.
    """
    return _Writer(loaded, prompts, max_rows).run(on_step)


class _Writer:
    def __init__(self, loaded: LoadedModel, prompts: list[Prompt], max_rows: int) -> None:
        self._loaded = loaded
        self._prompts = prompts
        self._max_rows = max_rows
        self._written = [Written(RowRandomness(prompt.seed)) for prompt in prompts]
        self._num_started = 0
        self._rows: list[int] = []  # prompts that have a place
        self._cached: CachedRows | None = None
        self._last_tokens: list[int] = []

    def run(self, on_step: Callable[[int], None]) -> list[Written]:
        while True:
            self._change_rows()
            if not self._rows:
                return self._written
            self._take(self._choose(self._step(), self._rows))
            on_step(sum(row.finish_reason is not None for row in self._written))

    def _change_rows(self) -> None:
        """Let finished rows go and waiting ones in, when that pays."""
        active = [
            place
            for place, row in enumerate(self._rows)
            if self._written[row].finish_reason is None
        ]
        is_waiting = self._num_started < len(self._prompts)
        places = self._max_rows if is_waiting else len(self._rows)
        if active and len(active) > USED_SHARE_TO_CHANGE * places:
            return
        if len(active) < len(self._rows):
            self._rows = [self._rows[place] for place in active]
            self._last_tokens = [self._last_tokens[place] for place in active]
            if self._cached is not None and active:
                self._cached.select(active)
        if not active:
            self._cached = None
        if is_waiting and (self._cached is None or can_join(self._cached.cache)):
            self._admit(self._max_rows - len(self._rows))

    def _admit(self, count: int) -> None:
        rows = list(range(self._num_started, min(self._num_started + count, len(self._prompts))))
        logits_BV, cached = prefill(self._loaded, [self._prompts[row] for row in rows])
        self._num_started += len(rows)
        tokens = self._choose(logits_BV, rows)
        if self._cached is None:
            self._cached = cached
        else:
            self._cached.join(cached)
        self._rows += rows
        self._last_tokens += tokens
        self._note(rows, tokens)

    def _step(self) -> torch.Tensor:
        """Scores (B, V) of the token behind the last one of every row."""
        cached = self._cached
        assert cached is not None, "rows have a cache"
        cached.mask_BT = pad(cached.mask_BT, (0, 1), value=1)
        positions_AB1 = cached.next_position_AB.unsqueeze(2)
        # A finished mask spares the model to build one; only plain causal layers take it as it is.
        is_plain = can_join(cached.cache)
        mask = cached.mask_BT[:, None, None].bool() if is_plain else cached.mask_BT
        output = self._loaded.model(
            input_ids=torch.tensor(self._last_tokens, device=self._loaded.device).unsqueeze(1),
            attention_mask=mask,
            position_ids=positions_AB1[0] if len(positions_AB1) == 1 else positions_AB1,
            past_key_values=cached.cache,
            use_cache=True,
        )
        cached.next_position_AB = cached.next_position_AB + 1
        return output.logits[:, -1]

    def _take(self, tokens: list[int]) -> None:
        self._last_tokens = tokens
        self._note(self._rows, tokens)

    def _note(self, rows: list[int], tokens: list[int]) -> None:
        """Add the tokens to the texts that are not finished."""
        for row, token_id in zip(rows, tokens, strict=True):
            written = self._written[row]
            if written.finish_reason is not None:
                continue
            if token_id in self._loaded.chat.stop_token_ids:
                written.finish_reason = "stop"
                continue
            written.token_ids.append(token_id)
            if len(written.token_ids) == self._prompts[row].max_new_tokens:
                written.finish_reason = "length"

    def _choose(self, logits_BV: torch.Tensor, rows: list[int]) -> list[int]:
        if not bool(torch.isfinite(logits_BV.amax(dim=-1)).all()):
            raise SticflowError(
                "ModelInvalid",
                "Expected finite scores for the next token, got NaN or infinity. Use "
                "model.dtype bfloat16 or float32, and check the checkpoint.",
            )
        prompts = [self._prompts[row] for row in rows]
        if all(prompt.temperature == 0 for prompt in prompts):
            return logits_BV.argmax(dim=-1).tolist()
        like = {"dtype": torch.float64, "device": logits_BV.device}
        uniform = [self._written[row].randomness.next() for row in rows]
        return choose_tokens(
            logits_BV,
            temperature_B=torch.tensor([prompt.temperature for prompt in prompts], **like),
            top_p_B=torch.tensor([prompt.top_p for prompt in prompts], **like),
            uniform_B=torch.tensor(uniform, **like),
        ).tolist()
