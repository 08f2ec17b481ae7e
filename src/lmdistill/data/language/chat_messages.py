"""Chats: lists of messages in their usual layouts, checked and brought into one form."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from lmdistill.core.errors import DataError
from lmdistill.data.files.table import Row
from lmdistill.data.language.text_cells import cell_value, require_characters, text_cell

CHATS = ("messages", "conversations", "conversation")
"""Column names of chats, in order of preference."""

SYSTEM, TOOLS = "system", "tools"
"""Columns that belong to a chat beside its messages: an instruction before them, and what can be called."""

ROLES = ("system", "developer", "user", "assistant", "tool", "function")
"""Valid roles of a message; models are trained on messages of the assistant."""

SPEAKERS: Mapping[str, str] = MappingProxyType(
    {
        **{role: role for role in ROLES},
        **dict.fromkeys(("gpt", "chatgpt", "bot", "model", "bing", "bard"), "assistant"),
        **dict.fromkeys(("observation", "function_response", "tool_response"), "tool"),
        "human": "user",
    }
)
"""Names in the key `from` of the ShareGPT layout, and the roles they stand for."""

Message = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Chat:
    """A conversation, and the tools that its assistant can call."""

    messages: list[Message]
    """The messages, at least one."""

    tools: list[dict[str, Any]] | None = None
    """Descriptions of functions for the chat template; None without any."""

    def to_json(self) -> str:
        """The chat as JSON: the list of messages, or an object with messages and tools."""
        whole = {"messages": self.messages, "tools": self.tools} if self.tools else self.messages
        return json.dumps(whole, ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str) -> "Chat":
        """The chat that `to_json` wrote."""
        value = json.loads(text)
        return cls(**value) if isinstance(value, dict) else cls(messages=value)


def chat_columns(columns: Sequence[str], parts: Sequence[str], values: Mapping[str, Any]) -> tuple[str, ...]:
    """The columns whose messages, joined, form a chat; none if the rows are no chats.

    Args:
        columns: Columns of the table.
        parts: Columns of the prompt and of the completion, which can be lists of messages.
        values: The first row.
    """
    for name in CHATS:
        value = values.get(name)
        is_chat = value is None or isinstance(value, list) or str(value).lstrip().startswith("[")
        if name in columns and (name == CHATS[0] or is_chat):
            return (name,)
    lists = tuple(name for name in parts if isinstance(values.get(name), list))
    return lists if lists and len(lists) == len(parts) else ()


def read_chat(row: Row, columns: Sequence[str], location: str, *, answered: bool = True) -> Chat:
    """The chat of a row: the messages of these columns, after the text of `system`, and its `tools`.

    Args:
        row: The row.
        columns: Columns with messages, in order.
        location: Location of the row, for error messages.
        answered: Whether a message of the assistant is required; see `parse_messages`.

    Raises:
        DataError: A column does not hold messages, or the chat or its tools cannot be used.
    """
    messages: list[Any] = []
    for column in columns:
        messages += _listed(cell_value(row, column), column, location)
    checked = _checked(messages, location)
    before = text_cell(row, SYSTEM, location)
    if before.strip() and checked[0]["role"] != "system":
        checked.insert(0, {"role": "system", "content": before})
    chat = Chat(
        messages=_answered(checked, location) if answered else checked,
        tools=_tools(cell_value(row, TOOLS), location),
    )
    require_characters(chat.to_json(), columns[0], location)
    return chat


def parse_messages(value: Any, location: str, *, answered: bool = True) -> list[Message]:
    """Check a chat, and return its messages up to the last one of the assistant.

    The last message is the completion, all messages before it are the prompt.

    Args:
        value: A list of objects with role and content, or with from and value (ShareGPT), or its JSON text. A
            content that is a list of text parts is joined. A message that calls tools needs no content.
        location: Location of the row, for error messages.
        answered: Whether a message of the assistant is required. If not, all messages are returned.

    Raises:
        DataError: The value is not such a list, a role is unknown, a content is not text, or there is no
            message of the assistant or none before it.
    """
    messages = _checked(_listed(value, CHATS[0], location), location)
    return _answered(messages, location) if answered else messages


def _checked(values: Sequence[Any], location: str) -> list[Message]:
    """Every message in one form."""
    return [_message(value, f"{location}, message {number}") for number, value in enumerate(values, 1)]


def _answered(checked: list[Message], location: str) -> list[Message]:
    """The messages up to the last answer."""
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


def last_user_message(messages: Sequence[Message]) -> str:
    """The content of the user's last message; "" if there is none."""
    return next((str(m["content"]) for m in reversed(messages) if m["role"] == "user"), "")


def answer_text(message: Message) -> str:
    """The text of an answer; the JSON of its calls if it only calls tools."""
    content = message.get("content") or ""
    calls = message.get("tool_calls")
    return content if content.strip() or not calls else json.dumps(calls, ensure_ascii=False)


def _listed(value: Any, column: str, location: str) -> list[Any]:
    """A list that is not empty, from a list or its JSON text."""
    value = _parsed(value, column, location)
    if not isinstance(value, list) or not value:
        raise DataError(
            f'{location}: {column!r} must be a list like [{{"role": "user", "content": "..."}}], '
            f"got {_shown(value)}. Correct the row."
        )
    return value


def _parsed(value: Any, column: str, location: str) -> Any:
    """The value of a JSON text; other values as they are."""
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except (ValueError, RecursionError) as error:
        raise DataError(
            f"{location}: {column!r} is not JSON ({str(error)[:80]}). Write a list of messages."
        ) from None


def _tools(value: Any, location: str) -> list[dict[str, Any]] | None:
    """The tools of a row; None if there are none."""
    if value is None or value == "" or value == []:
        return None
    tools = _parsed(value, TOOLS, location)
    if not tools:
        return None
    if not isinstance(tools, list) or not all(isinstance(tool, dict) for tool in tools):
        raise DataError(
            f"{location}: {TOOLS!r} must be a list of objects that describe functions, got {_shown(tools)}. "
            "Correct the row."
        )
    return tools


def _shown(value: Any) -> str:
    """The beginning of a value as JSON."""
    return json.dumps(value, default=str)[:60]


def _message(value: Any, location: str) -> Message:
    """Check one message; keys whose value is None are left out, but for the content of a call of tools."""
    if isinstance(value, dict) and value.get("role") is None and {"from", "value"} <= value.keys():
        value = {"role": SPEAKERS.get(str(value["from"]), value["from"]), "content": value["value"]}
    calls = isinstance(value, dict) and value.get("role") == "assistant" and value.get("tool_calls")
    if not isinstance(value, dict) or not ({"role"} if calls else {"role", "content"}) <= value.keys():
        raise DataError(
            f"{location}: a message needs a role and a content, got {_shown(value)}. Correct the row."
        )
    if value["role"] not in ROLES:
        raise DataError(
            f"{location}: the role {value['role']!r} is unknown; known: {', '.join(ROLES)}. Rename it."
        )
    content = value.get("content")
    kept = {key: part for key, part in value.items() if part is not None}
    return {**kept, "content": None if calls and content is None else _text(content, location)}


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
