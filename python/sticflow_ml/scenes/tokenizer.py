"""The tiny model's tokenizer: byte-level BPE trained on the world's own sentences and the paper's prompts.

Every word of the world is one token, with or without a leading space; any other UTF-8 text falls back to bytes and round-trips.
"""

from __future__ import annotations

import random
from collections.abc import Iterator

from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

from sticflow_ml.scenes.language import THINGS, detailed_caption, invented_caption
from sticflow_ml.scenes.prompts import Prompts
from sticflow_ml.scenes.questions import QUESTION_TYPES, ask, ask_place
from sticflow_ml.scenes.templates import BOS, CHAT_TEMPLATE, EOS, IMAGE, PAD, UNK, practice_texts
from sticflow_ml.scenes.world import BACKGROUNDS, COLORS, POSITIONS, SHAPES, SIZES, sample_objects

# Words keep their leading space; a line break is always a token of its own, so that a description and the
# question below it are cut at the same place whatever surrounds them.
_WORDS = r" ?[A-Za-z][A-Za-z\-]*| ?\d| ?[^\sA-Za-z\d]+|\s"
VOCABULARY_SIZE = 1408  # enough for every word of the prompts to be one token; the trainer stops earlier if it can
NUM_CORPUS_SCENES = 400
MAX_POSITIONS = 1024


def train_tokenizer(prompts: Prompts) -> PreTrainedTokenizerFast:
    """Train the tokenizer; the same prompts give the same vocabulary."""
    backend = Tokenizer(models.BPE())
    backend.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(_WORDS), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    backend.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY_SIZE,
        min_frequency=1,
        special_tokens=[PAD, BOS, EOS, UNK, IMAGE],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    backend.train_from_iterator(_corpus(prompts), trainer)
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=backend,
        pad_token=PAD,
        bos_token=BOS,
        eos_token=EOS,
        unk_token=UNK,
        extra_special_tokens={"image_token": IMAGE},
        padding_side="left",  # generation appends on the right
        model_max_length=MAX_POSITIONS,
        clean_up_tokenization_spaces=False,
    )
    tokenizer.chat_template = CHAT_TEMPLATE
    return tokenizer


def _corpus(prompts: Prompts) -> Iterator[str]:
    rng = random.Random("scenes/tokenizer")
    words = [*POSITIONS, *SHAPES, *COLORS, *SIZES, *BACKGROUNDS, *THINGS]
    for _ in range(50):
        yield " " + " ".join(words)
    for text in (*prompts.texts(), *practice_texts()):
        for _ in range(5):
            # After "USER: " a text begins with a space, after a line break without one.
            yield text
            yield f" {text} ASSISTANT:"
    for _ in range(NUM_CORPUS_SCENES):
        scene = sample_objects(rng, rng.randint(1, 4))
        yield f" {detailed_caption(scene)}"
        yield f"\n{detailed_caption(scene)}"
        yield f"\n{invented_caption(scene, rng)}"
        for question in (
            *(ask(kind, scene, rng) for kind in QUESTION_TYPES),
            ask_place(scene, rng),
        ):
            if question:
                yield f"USER: {question.text} ASSISTANT: {question.answer}"
                yield f"\n{question.text}"
