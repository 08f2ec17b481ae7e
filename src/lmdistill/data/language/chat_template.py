"""Chats: checks of message lists, and their conversion to text by the chat template of a tokenizer."""

import json
from collections.abc import Sequence
from typing import Any

from transformers import PreTrainedTokenizerBase

from lmdistill.core.errors import DataError
from lmdistill.data.language.bounded_template import bounded_templates
from lmdistill.data.language.template_values import TemplateLimitError

ROLES = ("system", "developer", "user", "assistant", "tool", "function")
"""Valid roles of a message; models are trained on messages of the assistant."""

Message = dict[str, Any]


def parse_messages(value: Any, location: str, *, answered: bool = True) -> list[Message]:
    """Check a chat, and return its messages up to the last one of the assistant.

    The last message is the completion, all messages before it are the prompt.

    Args:
        value: A list of objects with role and content, or its JSON text. A content that is a list of text
            parts is joined.
        location: Location of the row, for error messages.
        answered: Whether a message of the assistant is required. If not, all messages are returned.

    Raises:
        DataError: The value is not such a list, a role is unknown, a content is not text, or there is no
            message of the assistant or none before it.
    """
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except json.JSONDecodeError as error:
            raise DataError(
                f"{location}: 'messages' is not JSON ({error}). Write a list of messages."
            ) from error
    if not isinstance(value, list) or not value:
        raise DataError(
            f'{location}: \'messages\' must be a list like [{{"role": "user", "content": "..."}}], '
            f"got {json.dumps(value, default=str)[:60]}. Correct the row."
        )
    checked = [_message(message, f"{location}, message {number}") for number, message in enumerate(value, 1)]
    if not answered:
        return checked
    answers = [number for number, message in enumerate(checked, 1) if message["role"] == "assistant"]
    if not answers:
        roles = ", ".join(dict.fromkeys(message["role"] for message in checked))
        raise DataError(
            f"{location}: no message has the role 'assistant' (roles: {roles}). Add an answer or remove the "
            "row."
        )
    if answers[-1] == 1:
        raise DataError(
            f"{location}: there is no message before the answer. Add a question or remove the row."
        )
    return checked[: answers[-1]]


def _message(value: Any, location: str) -> Message:
    """Check one message; keys whose value is None are left out."""
    if not isinstance(value, dict) or not {"role", "content"} <= value.keys():
        raise DataError(
            f"{location}: a message needs a role and a content, got {json.dumps(value, default=str)[:60]}. "
            "Correct the row."
        )
    if value["role"] not in ROLES:
        raise DataError(
            f"{location}: the role {value['role']!r} is unknown; known: {', '.join(ROLES)}. Rename it."
        )
    message = {**value, "content": _text(value["content"], location)}
    return {key: part for key, part in message.items() if part is not None}


def _text(content: Any, location: str) -> str:
    """The content of a message as text; a list of text parts is joined."""
    if isinstance(content, str):
        return content
    if isinstance(content, list) and content and all(map(_is_text, content)):
        return "".join(part["text"] for part in content)
    wrong = content
    if isinstance(content, list) and content:
        wrong = next(part for part in content if not _is_text(part))
    part_type = wrong.get("type", "text") if isinstance(wrong, dict) else "text"
    kind = type(wrong).__name__ if part_type == "text" else repr(part_type)
    raise DataError(f"{location}: the content is {kind} where text is needed. Correct or remove the row.")


def _is_text(part: Any) -> bool:
    """Whether a part of a content has the form `{"type": "text", "text": "..."}`."""
    return isinstance(part, dict) and part.get("type") == "text" and isinstance(part.get("text"), str)


def last_user_message(messages: Sequence[Message]) -> str:
    """The content of the user's last message; "" if there is none."""
    return next((str(m["content"]) for m in reversed(messages) if m["role"] == "user"), "")


def require_template(tokenizer: PreTrainedTokenizerBase) -> None:
    """Check that a tokenizer has a chat template.

    Raises:
        DataError: It has none.
    """
    if not tokenizer.chat_template:
        name = tokenizer.name_or_path or type(tokenizer).__name__
        raise DataError(
            f"the rows are chats and the tokenizer of {name} has no chat template. Use the tokenizer of a "
            "chat model, or convert the rows to prompt and completion."
        )


def render_chat(messages: Sequence[Message], tokenizer: PreTrainedTokenizerBase) -> tuple[str, str]:
    """Format a chat with the tokenizer's chat template; return its prompt and its completion.

    The prompt ends where the answer of the model begins. If the template writes an end token after the
    answer, this token and white space after it are removed, because encoding adds the end token.

    Raises:
        DataError: There is no template, it rejects the messages, or the text that it writes before the answer
            depends on the answer.
    """
    require_template(tokenizer)
    prompt, text = (
        render_chat_prompt(messages[:-1], tokenizer),
        _apply_template(messages, tokenizer, begin_answer=False),
    )
    if not text.startswith(prompt):
        raise DataError(
            f"the chat template ends a prompt with {prompt[-30:]!r}, and the same chat with its answer does "
            "not begin with this prompt, so it is not clear where the answer begins. Use another template."
        )
    completion, end = text[len(prompt) :], str(tokenizer.eos_token)
    stripped = completion.rstrip()
    return prompt, stripped.removesuffix(end) if stripped.endswith(end) else completion


def render_chat_prompt(
    messages: Sequence[Message], tokenizer: PreTrainedTokenizerBase, location: str = ""
) -> str:
    """Format a chat with the tokenizer's chat template, up to where the answer of the model begins.

    Args:
        messages: The messages before the answer.
        tokenizer: A tokenizer with a chat template.
        location: Location of the row, for error messages.

    Raises:
        DataError: The template rejects the messages.
    """
    return _apply_template(messages, tokenizer, begin_answer=True, location=location)


def _apply_template(
    messages: Sequence[Message],
    tokenizer: PreTrainedTokenizerBase,
    *,
    begin_answer: bool,
    location: str = "",
) -> str:
    """The text that the template makes of the messages; `begin_answer` adds the start of an answer."""
    try:
        with bounded_templates():
            text = tokenizer.apply_chat_template(
                list(messages), tokenize=False, add_generation_prompt=begin_answer
            )
    except TemplateLimitError:
        raise
    except Exception as error:  # a template can raise any exception
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        prefix = f"{location}: " if location else ""
        raise DataError(
            f"{prefix}the chat template rejects the messages ({reason}). Correct the row."
        ) from error
    assert isinstance(text, str)
    return text
