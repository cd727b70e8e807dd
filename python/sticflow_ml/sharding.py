"""Share the frozen base out over the ranks of a training (FSDP2), so that no device holds it whole.

Only the blocks of the language model are shared out; each is put together on every rank for its own
forward and backward pass. The adapter stays whole everywhere: its gradients, the optimizer, checkpoints
and the result are those of ranks that each have the whole base, to the bit
(docs/decisions/0009-ranks-share-out-the-frozen-base.md).
"""

# torch.distributed exports its parts without saying so.
# pyright: reportPrivateImportUsage=false
from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from peft import PeftModel
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard
from torch.distributed.tensor import DTensor

from sticflow_ml.errors import SticflowError
from sticflow_ml.model import LoadedModel
from sticflow_ml.world import World


def shard_base(loaded: LoadedModel, policy: PeftModel, world: World) -> None:
    """Keep 1/n of every block of the language model on each of n ranks, the rest whole on its device.

    Every rank must call it, and from then on must run as many passes as the others: a block comes
    together only while all of them are in it.

    Args:
        loaded: The base, on its device or still in the memory of the host.
        policy: The base with the adapter to train.
        world: The ranks.

    Raises:
        SticflowError: `ModelInvalid` where the language model is no list of blocks.
    """
    decoder = loaded.model.get_decoder()
    blocks = getattr(decoder, "layers", None)  # an ability of the class, not a field of ours
    if not isinstance(blocks, torch.nn.ModuleList):
        raise SticflowError(
            "ModelInvalid",
            f"Expected a language model made of blocks in `layers` to share it out over "
            f"{world.size} devices, {type(decoder).__name__} has none. Set parallelism to data.",
        )
    mesh = init_device_mesh(loaded.device.type, (world.size,))
    for block in blocks:
        fully_shard(block, mesh=mesh, ignored_params=_trained(block.parameters()))
    # One owner of all blocks: while one is computed, the next is on its way.
    fully_shard(decoder, mesh=mesh, ignored_params=_whole(decoder.parameters()))
    policy.to(loaded.device)


def on_this_rank(weight: torch.Tensor) -> torch.Tensor:
    """The part of a weight that lies on this rank; all of it where nothing is shared out."""
    return weight.to_local() if isinstance(weight, DTensor) else weight


def share_facts(policy: PeftModel) -> dict[str, Any]:
    """What training.json says of a base that is shared out; bytes are of the first rank."""
    frozen = [weight for weight in policy.parameters() if not weight.requires_grad]
    return {
        "parallelism": "sharded",
        "base_bytes": sum(weight.nbytes for weight in frozen),
        "base_bytes_on_first_rank": sum(on_this_rank(weight).nbytes for weight in frozen),
    }


def _trained(weights: Iterable[torch.nn.Parameter]) -> set[torch.nn.Parameter]:
    return {weight for weight in weights if weight.requires_grad}


def _whole(weights: Iterable[torch.nn.Parameter]) -> set[torch.nn.Parameter]:
    return {weight for weight in weights if not isinstance(weight, DTensor)}
