"""The peer: TRL's DPOTrainer with its own collator, unchanged."""

from __future__ import annotations

import tempfile
from typing import Any

import torch
from datasets import Dataset
from peft import LoraConfig
from transformers import PreTrainedModel, ProcessorMixin
from trl import DPOConfig, DPOTrainer


class TrlStep:
    """Optimizer steps of TRL: sigmoid DPO plus its token-mean likelihood term."""

    def __init__(
        self,
        model: PreTrainedModel,
        processor: ProcessorMixin,
        rows: list[dict[str, Any]],
        *,
        lora: LoraConfig,
        beta: float,
        chosen_nll_weight: float,
        gradient_checkpointing: bool,
    ) -> None:
        on_cpu = model.device.type == "cpu"
        arguments = DPOConfig(
            output_dir=tempfile.mkdtemp(prefix="trl-"),
            loss_type=["sigmoid", "sft"],
            loss_weights=[1.0, chosen_nll_weight],
            beta=beta,
            # TRL's default of 1024 would cut image tokens of an anyres prompt.
            max_length=None,
            bf16=model.dtype == torch.bfloat16 and not on_cpu,
            use_cpu=on_cpu,
            report_to="none",
            disable_dropout=True,
            # Its default is True. Where it is on, TRL also lets gradients into the vision tower, so
            # that switching it off later would not make the same trainer.
            gradient_checkpointing=gradient_checkpointing,
            per_device_train_batch_size=len(rows),
        )
        self._trainer = DPOTrainer(
            model,
            args=arguments,
            train_dataset=Dataset.from_list(rows),
            processing_class=processor,
            peft_config=lora,
        )
        self.policy: Any = self._trainer.model
        self.policy.train()
        if gradient_checkpointing:
            # As `Trainer.train` does at its start.
            self.policy.gradient_checkpointing_enable({"use_reentrant": False})

    def loss(self, rows: list[dict[str, Any]]) -> torch.Tensor:
        """Collate and run the forward passes of policy and reference."""
        # TRL's collator fills its rows in place; a second pass over the same rows would fail.
        collated = self._trainer.data_collator([dict(row) for row in rows])
        batch = self._trainer._prepare_inputs(collated)
        if self.policy.dtype != torch.bfloat16:
            return self._trainer.compute_loss(self.policy, batch)
        with self._trainer.compute_loss_context_manager():
            return self._trainer.compute_loss(self.policy, batch)

    def logps(self) -> dict[str, float]:
        """TRL's own mean log-probabilities of the last batch."""
        metrics = self._trainer._metrics["train"]
        return {name: metrics[name][-1] for name in ("logps/chosen", "logps/rejected")}
