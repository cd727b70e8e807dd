"""Keep the blocks of the language model in 4 bits, so that LoRA trains beside a base of a quarter of the size.

NF4 with double quantisation (QLoRA, arXiv:2305.14314, section 3), by bitsandbytes. Vision tower, projector,
embeddings and head stay as they are, so image features are those of the whole base.
"""

# bitsandbytes exports its parts without saying so, and builds its parameters in __new__.
# pyright: reportPrivateImportUsage=false, reportCallIssue=false
from __future__ import annotations

import torch
from transformers import PreTrainedModel


def quantize_blocks(model: PreTrainedModel) -> None:
    """Mark every linear layer of the language model for 4 bits; moving the model to a device packs them.

    Args:
        model: In the memory of the host, in the dtype that its products are to be made in.
    """
    from bitsandbytes.nn import Linear4bit, Params4bit  # a second that others do not need

    for block in model.get_decoder().modules():
        for name, layer in list(block.named_children()):
            if type(layer) is not torch.nn.Linear:
                continue
            packed = Linear4bit(
                layer.in_features,
                layer.out_features,
                bias=False,
                compute_dtype=layer.weight.dtype,
                device="meta",
            )
            packed.weight = Params4bit(
                layer.weight.data,
                requires_grad=False,
                quant_type="nf4",
                compress_statistics=True,
                module=packed,
            )
            packed.bias = layer.bias
            # Some CPUs would change layout and arithmetic between training and evaluation.
            packed.support_avx512bf16_for_cpu = False
            setattr(block, name, packed)
    model.is_loaded_in_4bit = True  # pyright: ignore[reportArgumentType] - what PEFT goes by
