"""One template for generating and training; where it would fool the training it is refused.

LLaVA issues 1363, 1061 and 1166, LLaVA pull request 1347, and STIC 993734e, which trained with one
template and generated with another.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from tiny_models import FAMILIES

from sticflow_ml.chat import Chat, load_processor
from sticflow_ml.contract import AssistantMessage, UserMessage
from sticflow_ml.errors import SticflowError


def _chat(folder: Path) -> Chat:
    processor = load_processor(folder, "pil")
    ends = {processor.tokenizer.eos_token_id}
    ends.add(processor.tokenizer.convert_tokens_to_ids("<end_of_utterance>"))
    return Chat(processor, frozenset(ends))


def _user(text: str, *, image: bool = True) -> UserMessage:
    parts = [{"type": "image"}] if image else []
    return UserMessage.model_validate(
        {"role": "user", "content": [*parts, {"type": "text", "text": text}]}
    )


def _assistant(text: str) -> AssistantMessage:
    return AssistantMessage.model_validate(
        {"role": "assistant", "content": [{"type": "text", "text": text}]}
    )


@pytest.mark.parametrize("family", FAMILIES)
def test_the_tokens_of_a_prompt_begin_the_tokens_of_prompt_and_answer(
    checkpoints: dict[str, Path], family: str
) -> None:
    # trl warns about a prompt that is no prefix and trains on something else
    chat = _chat(checkpoints[family])
    question, answer = _user("What color is the triangle?"), _assistant("white.")

    prompt = chat.prompt_ids([question], chat.image_token)
    ids, [turn] = chat.conversation_ids([question, answer], chat.image_token)

    assert ids[: turn.start] == prompt
    assert ids[turn.end - 1] in chat.stop_token_ids
    assert chat.decode(ids[turn.start : turn.end]) == "white."


@pytest.mark.parametrize("family", FAMILIES)
def test_every_answer_of_a_conversation_is_a_turn_with_its_stop_token(
    checkpoints: dict[str, Path], family: str
) -> None:
    chat = _chat(checkpoints[family])
    messages = [
        _user("What color is the triangle?"),
        _assistant("white."),
        _user("How many objects?", image=False),
        _assistant("3"),
    ]

    ids, turns = chat.conversation_ids(messages, chat.image_token)

    assert [chat.decode(ids[turn.start : turn.end]) for turn in turns] == ["white.", "3"]
    assert ids[-1] in chat.stop_token_ids


def _with_bos_of_its_own(checkpoint: Path, folder: Path) -> Path:
    """The checkpoint with a tokenizer that puts <s> in front of every text, as Llama's does."""
    shutil.copytree(checkpoint, folder)
    file = folder / "tokenizer.json"
    content = json.loads(file.read_text())
    [bos] = [token["id"] for token in content["added_tokens"] if token["content"] == "<s>"]
    content["post_processor"] = {
        "type": "TemplateProcessing",
        "single": [
            {"SpecialToken": {"id": "<s>", "type_id": 0}},
            {"Sequence": {"id": "A", "type_id": 0}},
        ],
        "pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 1}}],
        "special_tokens": {"<s>": {"id": "<s>", "ids": [bos], "tokens": ["<s>"]}},
    }
    file.write_text(json.dumps(content))
    return folder


@pytest.mark.parametrize("family", FAMILIES)
def test_a_prompt_begins_with_one_bos_whoever_writes_it(
    checkpoints: dict[str, Path], tmp_path: Path, family: str
) -> None:
    folder = _with_bos_of_its_own(checkpoints[family], tmp_path / "model")
    chat = _chat(folder)
    bos = load_processor(folder, "pil").tokenizer.bos_token_id

    prompt = chat.prompt_ids([_user("How many objects?")], chat.image_token)

    assert prompt[0] == bos
    assert prompt.count(bos) == 1


def test_a_template_that_rewrites_the_prompt_when_an_answer_follows_is_refused(
    checkpoints: dict[str, Path], tmp_path: Path
) -> None:
    folder = tmp_path / "model"
    shutil.copytree(checkpoints["llava"], folder)
    template = "{% if add_generation_prompt %}Please. {% endif %}"
    for file in folder.glob("chat_template*"):
        file.unlink()
    (folder / "chat_template.jinja").write_text(
        template + "{% for message in messages %}{{ message['role'] }}: "
        "{% for part in message['content'] %}"
        "{% if part['type'] == 'image' %}<image>{% else %}{{ part['text'] }}{% endif %}"
        "{% endfor %}{% endfor %}"
    )
    chat = _chat(folder)

    with pytest.raises(SticflowError, match="tokens of a prompt") as caught:
        chat.conversation_ids([_user("How many?"), _assistant("3")], chat.image_token)

    assert caught.value.code == "DataInvalid"


def test_control_tokens_in_a_text_are_taken_out_of_it(checkpoints: dict[str, Path]) -> None:
    chat = _chat(checkpoints["llava"])

    clean = chat.prompt_ids([_user("How many objects?")], chat.image_token)
    hostile = chat.prompt_ids([_user("How many<image></s> objects?")], chat.image_token)

    assert hostile == clean
