"""Layouts of text data: which columns form a prompt and its completion, and the template of the prompt."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from lmdistill.core.errors import DataError
from lmdistill.core.fingerprint import fingerprint
from lmdistill.data.files.table import Row
from lmdistill.data.language.chat_messages import SYSTEM, answer_text, last_user_message, read_chat
from lmdistill.data.language.prompt_template import Pieces, fill_template
from lmdistill.data.language.text_cells import cell_value, text_cell

Layout = Literal["messages", "instruction", "prompt", "text"]
"""Layouts: chats, instructions with input and output, prompts with completions, or plain texts."""

ALPACA = "Human:\n{instruction} {input}\n\nAssistant:\n"
"""The template for instructions in ATKD's released script."""

FORMAT = 2  # increase it when examples are formatted differently, so that older caches are not used

COMPLETIONS = ("completion", "response", "output", "answer", "chosen")
"""Column names of completions, in order of preference; the last one is the better answer of a pair."""

PROMPTS = ("prompt", "question")
"""Column names of prompts, in order of preference."""

TEXTS = ("text", "story", "sentence", "content", "document")
"""Column names of plain texts, in order of preference."""

INPUTS = ("input", "context")
"""Column names of the text that an instruction is about: in Alpaca and in Dolly."""

HISTORY = "history"
"""Column of the earlier turns of an instruction: a list of pairs of an instruction and its answer."""

ENDED = "ended"
"""Column of a generated file: false if the completion or last answer was cut before its end token."""


@dataclass(frozen=True, kw_only=True)
class ExampleFormat:
    """How a row is converted to an example."""

    layout: Layout
    """The layout of the rows."""

    pieces: Pieces = ()
    """The template of the prompt: pairs of a text and the column that follows it ("" for none)."""

    completion: str
    """Column of the text that the loss covers; for chats the column of the last messages."""

    question: str
    """Column that is compared with evaluation files to find contamination."""

    optional: tuple[str, ...] = ()
    """Columns that can be missing in a row; a missing one counts as empty."""

    ended: bool = False
    """Whether the column `ENDED` exists and says which completions were cut."""

    chat: tuple[str, ...] = ()
    """For chats: columns of messages, joined in this order."""

    turns: bool = False
    """Whether the columns `system` and `history` of a row come before its instruction."""

    @property
    def key(self) -> str:
        """Fingerprint of all fields that change the examples."""
        more: list[Any] = [ENDED] if self.ended else []
        more += [[*self.chat], self.turns]
        return fingerprint(
            FORMAT, self.layout, self.pieces, self.completion, self.question, list(self.optional), *more
        )

    def example(self, row: Row, location: str) -> dict[str, Any]:
        """Convert a row: its prompt, completion, question and messages (JSON; "" if the row is not a chat).

        If `ended` is set, also `unended`: whether the column `ENDED` is false.

        Args:
            row: The row.
            location: Location of the row, for error messages.

        Raises:
            DataError: A column is missing or not text, or a chat cannot be used.
        """
        needed = {self.completion, self.question, *(name for _, name in self.pieces if name), *self.chat}
        missing = sorted(needed - row.fields.keys() - set(self.optional))
        if missing:
            have = ", ".join(row.fields) or "none"
            raise DataError(
                f"{location}: the row has no {missing[0]!r}; it has: {have}. Correct or remove it."
            )
        cut = {"unended": row.fields.get(ENDED, "").lower() == "false"} if self.ended else {}
        if self.layout == "messages":
            chat = read_chat(row, self.chat, location)
            return {
                "prompt": "",
                "completion": answer_text(chat.messages[-1]),
                "question": last_user_message(chat.messages),
                "messages": chat.to_json(),
                **cut,
            }
        return {
            "prompt": prompt_text(self.pieces, row, location, turns=self.turns),
            "completion": text_cell(row, self.completion, location),
            "question": text_cell(row, self.question, location),
            "messages": "",
            **cut,
        }


def instruction_template(columns: Sequence[str]) -> str:
    r"""The template for instructions, with the column of the text that they are about.

    Examples:
        >>> instruction_template(["instruction", "context", "response"])
        'Human:\n{instruction} {context}\n\nAssistant:\n'
    """
    about = next((name for name in INPUTS if name in columns), INPUTS[0])
    return ALPACA.replace(f"{{{INPUTS[0]}}}", f"{{{about}}}")


def has_turns(columns: Sequence[str]) -> bool:
    """Whether an instruction can have text before it: a system message or earlier turns."""
    return SYSTEM in columns or HISTORY in columns


def prompt_text(pieces: Pieces, row: Row, location: str, *, turns: bool = False) -> str:
    """The prompt of a row.

    Args:
        pieces: The template.
        row: The row; missing columns count as empty.
        location: Location of the row, for error messages.
        turns: Put the text of `system` and the turns of `history` before it, each turn in the template.

    Raises:
        DataError: A column is not text, or the history no list of pairs of texts.
    """
    fields = {name: text_cell(row, name, location) for _, name in pieces if name}
    before = ""
    if turns:
        system = text_cell(row, SYSTEM, location)
        before = f"{system}\n\n" if system.strip() else ""
        for question, answer in _history(cell_value(row, HISTORY), location):
            before += f"{fill_template(pieces, {'instruction': question})}{answer}\n\n"
    return before + fill_template(pieces, fields)


def _history(value: Any, location: str) -> list[tuple[str, str]]:
    """Earlier turns: pairs of an instruction and its answer."""
    turns = value or []
    if not isinstance(turns, list) or not all(map(_is_turn, turns)):
        raise DataError(
            f"{location}: {HISTORY!r} must be a list of pairs of an instruction and its answer, like "
            f'[["Hello", "Hi"]], got {str(value)[:60]}. Correct the row.'
        )
    return [(question, answer) for question, answer in turns]


def _is_turn(turn: Any) -> bool:
    """Whether this is a pair of texts."""
    return isinstance(turn, list | tuple) and len(turn) == 2 and all(isinstance(part, str) for part in turn)
