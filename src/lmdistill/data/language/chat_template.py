"""Chats: lists of messages checked, cut to the last answer, and written out by a model's own template."""

import json
from collections.abc import Sequence
from typing import Any

from transformers import PreTrainedTokenizerBase

from lmdistill.core.errors import DataError

ROLES = ("system", "developer", "user", "assistant", "tool", "function")
"""Who may speak; the assistant is who is imitated."""

Message = dict[str, Any]


def parse_messages(value: Any, place: str, *, answered: bool = True) -> list[Message]:
    """The messages up to the last one of the assistant, which is the completion; all others are its prompt.

    Args:
        value: A list of objects with role and content, or its JSON text.
        place: Where the row stands, for messages.
        answered: Whether there must be a message of the assistant; without, all messages are returned.

    Raises:
        DataError: No such list, an unknown role, content that is no text, or no message of the assistant.
            A list of texts as content is read as the texts joined.
    """
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except json.JSONDecodeError as error:
            raise DataError(
                f"{place}: 'messages' is not JSON ({error}). Write a list of messages."
            ) from error
    if not isinstance(value, list) or not value:
        raise DataError(
            f'{place}: \'messages\' must be a list like [{{"role": "user", "content": "..."}}], '
            f"got {json.dumps(value, default=str)[:60]}. Mend the row."
        )
    checked = [_message(message, f"{place}, message {number}") for number, message in enumerate(value, 1)]
    if not answered:
        return checked
    answers = [number for number, message in enumerate(checked, 1) if message["role"] == "assistant"]
    if not answers:
        roles = ", ".join(dict.fromkeys(message["role"] for message in checked))
        raise DataError(
            f"{place}: no message is the assistant's (there are: {roles}), so there is nothing to learn. "
            "Add an answer or remove the row."
        )
    if answers[-1] == 1:
        raise DataError(f"{place}: nothing stands before the answer. Add a question or remove the row.")
    return checked[: answers[-1]]


def _message(value: Any, place: str) -> Message:
    """One message with what is None in it left out."""
    if not isinstance(value, dict) or not {"role", "content"} <= value.keys():
        raise DataError(
            f"{place}: a message has a role and a content, got {json.dumps(value, default=str)[:60]}. "
            "Mend the row."
        )
    if value["role"] not in ROLES:
        raise DataError(
            f"{place}: the role {value['role']!r} is unknown; known: {', '.join(ROLES)}. Rename it."
        )
    whole = {**value, "content": _text(value["content"], place)}
    return {key: part for key, part in whole.items() if part is not None}


def _text(content: Any, place: str) -> str:
    """The content of a message; a list of texts is joined."""
    if isinstance(content, str):
        return content
    if isinstance(content, list) and content and all(map(_is_text, content)):
        return "".join(part["text"] for part in content)
    odd = content
    if isinstance(content, list) and content:
        odd = next(part for part in content if not _is_text(part))
    other = odd.get("type", "text") if isinstance(odd, dict) else "text"
    kind = type(odd).__name__ if other == "text" else repr(other)
    raise DataError(f"{place}: the content is {kind} where text is needed. Mend or remove the row.")


def _is_text(part: Any) -> bool:
    """Whether a part of a content is text, as `{"type": "text", "text": "..."}` is."""
    return isinstance(part, dict) and part.get("type") == "text" and isinstance(part.get("text"), str)


def last_user_message(messages: Sequence[Message]) -> str:
    """What the user asked last."""
    return next((str(m["content"]) for m in reversed(messages) if m["role"] == "user"), "")


def require_template(tokenizer: PreTrainedTokenizerBase) -> None:
    """Refuse a tokenizer that does not say how its model writes chats.

    Raises:
        DataError: There is no template.
    """
    if not tokenizer.chat_template:
        name = tokenizer.name_or_path or type(tokenizer).__name__
        raise DataError(
            f"the rows are chats and the tokenizer of {name} has no chat template. Use the tokenizer of a "
            "chat model, or turn the rows into prompt and completion."
        )


def render_chat(messages: Sequence[Message], tokenizer: PreTrainedTokenizerBase) -> tuple[str, str]:
    """Prompt and completion of a chat as the tokenizer's template writes them.

    The prompt ends where the model begins to answer. The end token and the white space after it, if the
    template writes them, are taken off the completion; whoever encodes it adds the end token.

    Raises:
        DataError: There is no template, it refuses the messages, or what it writes before an answer depends
            on the answer.
    """
    require_template(tokenizer)
    prompt, whole = (
        render_chat_prompt(messages[:-1], tokenizer),
        _worded(messages, tokenizer, begin_answer=False),
    )
    if not whole.startswith(prompt):
        raise DataError(
            f"the chat template writes {prompt[-30:]!r} before an answer that is still to come and something "
            "else before a given one, so it is not clear where the answer begins. Use another template."
        )
    completion, end = whole[len(prompt) :], str(tokenizer.eos_token)
    bare = completion.rstrip()
    return prompt, bare.removesuffix(end) if bare.endswith(end) else completion


def render_chat_prompt(
    messages: Sequence[Message], tokenizer: PreTrainedTokenizerBase, place: str = ""
) -> str:
    """A chat as the tokenizer's template writes it, up to where the model begins to answer.

    Args:
        messages: Without the answer.
        tokenizer: With a template.
        place: Where the row stands, for messages.

    Raises:
        DataError: The template refuses the messages.
    """
    return _worded(messages, tokenizer, begin_answer=True, place=place)


def _worded(
    messages: Sequence[Message], tokenizer: PreTrainedTokenizerBase, *, begin_answer: bool, place: str = ""
) -> str:
    """What the template writes."""
    try:
        text = tokenizer.apply_chat_template(
            list(messages), tokenize=False, add_generation_prompt=begin_answer
        )
    except Exception as error:  # a gate: a template may raise anything
        said = (str(error).strip() or type(error).__name__).splitlines()[0]
        where = f"{place}: " if place else ""
        raise DataError(
            f"{where}the chat template refuses a chat ({said}). Mend the row's messages."
        ) from error
    assert isinstance(text, str)
    return text
