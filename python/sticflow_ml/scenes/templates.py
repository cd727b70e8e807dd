"""The conversation format of the tiny model and the texts that only its pre-training uses."""

from __future__ import annotations

PAD, BOS, EOS, UNK, IMAGE = "<pad>", "<s>", "</s>", "<unk>", "<image>"

# LLaVA's vicuna layout without its system sentence: "<s>USER: <image>\n{question} ASSISTANT: {answer}</s>".
CHAT_TEMPLATE = """\
{{- bos_token -}}
{%- for message in messages -%}
{%- if message['role'] == 'assistant' -%}
{%- if message['content'] is string %} {{ message['content'] }}
{%- else %} {% for part in message['content'] %}{{ part['text'] }}{% endfor %}
{%- endif -%}
{{- eos_token -}}
{%- else -%}
{{- 'USER: ' -}}
{%- if message['content'] is string %}{{ message['content'] }}
{%- else -%}
{%- for part in message['content'] -%}
{%- if part['type'] == 'image' %}{{ '<image>\\n' }}{% else %}{{ part['text'] }}{% endif -%}
{%- endfor -%}
{%- endif -%}
{{- ' ASSISTANT:' -}}
{%- endif -%}
{%- endfor -%}
"""

USER, ASSISTANT = "USER: ", " ASSISTANT:"

# A short request for the detailed style. It teaches seeing at a tenth of the well-crafted prompt's length.
STEP_BY_STEP = "Describe the image step by step. Count the objects, give the position, size and color of each, then the background."

# Headers under which reading is practised. The product's "Image description:" is not among them: what
# describe-and-respond shows is reading, not a phrase learnt by heart.
READING_HEADERS = (
    "Text:",
    "Note:",
    "Caption:",
    "Report:",
    "Image caption:",
    "Image text:",
    "Scene description:",
)
AFTER_HEADER = (" ", "\n")
BEFORE_QUESTION = ("\n", "\n\n")


def practice_texts() -> list[str]:
    """Return the texts of this file that a tokenizer must know."""
    return [
        STEP_BY_STEP,
        *READING_HEADERS,
        "The image shows",
        " Where red? color at top? shape at top? size at top?",
    ]
