"""Chat templates: the conversion of a chat to text, and the place where its answer begins."""

import re
from collections.abc import Sequence
from typing import Any

from transformers import PreTrainedTokenizerBase

from lmdistill.core.errors import DataError
from lmdistill.data.language.bounded_template import bounded_templates
from lmdistill.data.language.chat_messages import Message, answer_text
from lmdistill.data.language.prompt_template import is_chat_template
from lmdistill.data.language.template_values import TemplateLimitError

Tools = Sequence[dict[str, Any]] | None
"""Descriptions of functions that the assistant can call."""


def use_template(tokenizer: PreTrainedTokenizerBase, template: str | None) -> None:
    """Set the chat template of a tokenizer, if `template` is one of chats; it is saved with the tokenizer."""
    if template is not None and is_chat_template(template):
        tokenizer.chat_template = template


def require_template(tokenizer: PreTrainedTokenizerBase) -> None:
    """Check that a tokenizer has a chat template.

    Raises:
        DataError: It has none.
    """
    if not tokenizer.chat_template:
        name = tokenizer.name_or_path or type(tokenizer).__name__
        raise DataError(
            f"the rows are chats and the tokenizer of {name} has no chat template. Set texts.template to "
            "one, use the tokenizer of a chat model, or convert the rows to prompt and completion."
        )


def render_chat(
    messages: Sequence[Message],
    tokenizer: PreTrainedTokenizerBase,
    *,
    tools: Tools = None,
    location: str = "",
) -> tuple[str, str]:
    """Format a chat with the tokenizer's chat template; return its prompt and its completion.

    The prompt ends where the answer of the model begins. If the template writes an end token after the
    answer, this token and white space after it are removed, because encoding adds the end token.

    Args:
        messages: The messages; the last one is the answer.
        tokenizer: A tokenizer with a chat template.
        tools: What the assistant can call; the template sees it.
        location: Location of the row, for error messages.

    Raises:
        DataError: There is no template, it rejects the messages, the text that it writes before the answer
            depends on the answer, or it does not write the answer.
    """
    require_template(tokenizer)
    prefix = f"{location}: " if location else ""
    prompt = render_chat_prompt(messages[:-1], tokenizer, location, tools=tools)
    text = _apply_template(messages, tokenizer, begin_answer=False, location=location, tools=tools)
    if not text.startswith(prompt):
        raise DataError(
            f"{prefix}the chat template ends a prompt with {prompt[-30:]!r}, and the same chat with its "
            "answer does not begin with this prompt, so it is not clear where the answer begins. Set "
            "texts.template to another template."
        )
    completion = without_end(text[len(prompt) :], tokenizer)
    if not _holds(completion, messages[-1]):
        raise DataError(
            f"{prefix}the chat template loses the answer: it writes {completion[:60]!r} where the answer is "
            f"{answer_text(messages[-1])[:60]!r}. Set texts.template to another template."
        )
    return prompt, completion


def without_end(text: str, tokenizer: PreTrainedTokenizerBase) -> str:
    """A text without the end token that is written out at its end, because encoding adds one."""
    stripped, end = text.rstrip(), str(tokenizer.eos_token)
    return stripped.removesuffix(end) if stripped.endswith(end) else text


def _holds(completion: str, answer: Message) -> bool:
    """Whether a completion has the last line of the answer, apart from punctuation; for calls, anything."""
    if not (answer.get("content") or "").strip():
        return bool(completion.strip()) or not answer.get("tool_calls")
    line = answer_text(answer).strip().splitlines()[-1].strip()
    letters = _letters(line)  # templates may escape marks
    return line in completion or (bool(letters) and letters in _letters(completion))


def _letters(text: str) -> str:
    """The letters and digits of a text."""
    return re.sub(r"[\W_]+", "", text)


def render_chat_prompt(
    messages: Sequence[Message],
    tokenizer: PreTrainedTokenizerBase,
    location: str = "",
    *,
    tools: Tools = None,
) -> str:
    """Format a chat with the tokenizer's chat template, up to where the answer of the model begins.

    Args:
        messages: The messages before the answer.
        tokenizer: A tokenizer with a chat template.
        location: Location of the row, for error messages.
        tools: What the assistant can call; the template sees it.

    Raises:
        DataError: The template rejects the messages.
    """
    return _apply_template(messages, tokenizer, begin_answer=True, location=location, tools=tools)


def _apply_template(
    messages: Sequence[Message],
    tokenizer: PreTrainedTokenizerBase,
    *,
    begin_answer: bool,
    location: str,
    tools: Tools,
) -> str:
    """The text that the template makes of the messages; `begin_answer` adds the start of an answer."""
    prefix = f"{location}: " if location else ""
    try:
        with bounded_templates():
            text = tokenizer.apply_chat_template(
                list(messages),
                tools=None if tools is None else list(tools),
                tokenize=False,
                add_generation_prompt=begin_answer,
            )
    except TemplateLimitError as error:
        raise TemplateLimitError(error.what, location) from error
    except Exception as error:  # a template can raise any exception
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise DataError(
            f"{prefix}the chat template rejects the messages ({reason}). Correct the row, or set "
            "texts.template to another template."
        ) from error
    assert isinstance(text, str)
    return text
