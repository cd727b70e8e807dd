"""From preference pairs to rows, and from rows to log-probabilities of their texts.

A pair is one row `[prompt + image | chosen | rejected]` where the family allows it; what a strategy
scores beside that runs in rows of one text.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch

from sticflow_ml.contract import AssistantMessage, ImageFile, PreferencePair, UserMessage
from sticflow_ml.forward import Pick, Sharing, probe_sharing, score
from sticflow_ml.losses import PairLogps, token_logps
from sticflow_ml.shared_prefix import Row, lay_out
from sticflow_ml.training import Training

CHOSEN, REJECTED = 0, 1


class PairScorer:
    """Turns pairs into rows, and rows into log-probabilities of chosen and rejected.

    Args:
        training: The request with its model.
        first: The pair that decides whether this family shares prompt and image.
    """

    def __init__(self, training: Training, first: PreferencePair) -> None:
        self._training = training
        self._loaded = training.loaded
        self._images = training.images
        self._pad_token_id = training.loaded.chat.pad_token_id
        image = self._images.get(first.images[0])
        self.sharing: Sharing = probe_sharing(self._loaded, self.row(first), image)
        if not self.sharing.is_shared:
            training.workplace.reporter.notice(
                "prefix_not_shared", f"chosen and rejected run apart: {self.sharing.reason}"
            )

    def row(self, pair: PreferencePair) -> Row:
        """Return the tokens of a pair; its image is needed to know how many tokens that one has."""
        return text_row(
            self._training, pair.prompt, [pair.chosen, pair.rejected], image=pair.images[0]
        )

    def logps(
        self, model: torch.nn.Module, pairs: Sequence[PreferencePair], rows: Sequence[Row]
    ) -> PairLogps:
        """Score pairs: one pass with a shared prefix, or one pass a side."""
        images = [self._images.get(pair.images[0]) for pair in pairs]
        passes = [list(rows)] if self.sharing.is_shared else [side(rows, 0), side(rows, 1)]
        sums: list[torch.Tensor] = []
        for of_pass in passes:
            tensors = lay_out(of_pass, pad_token_id=self._pad_token_id).to(self._loaded.device)
            logps_BN = score(model, self._loaded, tensors, images)
            for completion in range(len(of_pass[0].completions)):
                is_other_BN = tensors.completion_BN != completion
                sums.append(logps_BN.masked_fill(is_other_BN, 0.0).sum(dim=-1))
        return PairLogps(chosen_B=sums[CHOSEN], rejected_B=sums[REJECTED])


def text_row(
    training: Training,
    prompt: Sequence[UserMessage],
    answers: Sequence[Sequence[AssistantMessage]],
    *,
    image: ImageFile | None,
) -> Row:
    """Tokens of a prompt and of its answers; without its image where `image` is None."""
    loaded = training.loaded
    if image is None:
        messages = [_without_image(message) for message in prompt]
        replacement, inputs = "", {}
    else:
        messages = list(prompt)
        processed = training.images.get(image, encoded=False)
        replacement, inputs = processed.replacement, processed.inputs
    prompt_ids = loaded.chat.prompt_ids([*messages], replacement)
    completions: list[list[int]] = []
    for answer in answers:
        ids, turns = loaded.chat.conversation_ids([*messages, *answer], replacement)
        completions.append(ids[turns[-1].start : turns[-1].end])
    positions_AT = (
        torch.arange(len(prompt_ids)).unsqueeze(0)
        if image is None
        else loaded.positions(prompt_ids, inputs)
    )
    return Row(prompt_ids, completions, positions_AT)


def text_scores(
    model: torch.nn.Module,
    training: Training,
    rows: Sequence[Row],
    images: Sequence[ImageFile],
    *,
    pick: Pick = token_logps,
) -> torch.Tensor:
    """What `pick` takes from rows of one text, (B, N); 0 where a row is shorter than the longest.

    Args:
        model: What gradients go through.
        training: The request with its model.
        rows: Of one completion each.
        images: One a row, or none for rows without.
        pick: As in `score`.
    """
    loaded = training.loaded
    tensors = lay_out(list(rows), pad_token_id=loaded.chat.pad_token_id).to(loaded.device)
    processed = [training.images.get(image) for image in images]
    picked_BN = score(model, loaded, tensors, processed, pick)
    return picked_BN.masked_fill(tensors.completion_BN != 0, 0)


def side(rows: Sequence[Row], number: int) -> list[Row]:
    """The rows with one of their completions only."""
    return [Row(row.prompt_ids, [row.completions[number]], row.prompt_positions_AT) for row in rows]


def _without_image(message: UserMessage) -> UserMessage:
    return message.model_copy(
        update={"content": [part for part in message.content if part.type == "text"]}
    )
