"""Prompts: a template with fields for the texts and the labels, and the default one."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from lmdistill.core.errors import ConfigError, DataError
from lmdistill.data.language.prompt_template import Pieces, fill_template, parse_template
from lmdistill.labelling.label_words import LabelWords

LABELS = "labels"
"""Field that stands for all label words, separated by commas."""

TEXT = "text"
"""Field that stands for the text, whatever its column is called, if there is one text column."""

ANSWER_ALONE = "?\nAnswer with the label alone: no explanation, no punctuation.\n\n"
"""What the default prompt asks for."""


@dataclass(frozen=True, kw_only=True)
class PromptTemplate:
    """A parsed prompt."""

    pieces: Pieces
    """Pairs of a text and the field that follows it ("" for none)."""

    columns: tuple[str, ...]
    """The one or two text columns, in the order of a row's texts."""

    labels: str
    """What stands for `{labels}`."""

    @property
    def text(self) -> str:
        """The template as it is written, apart from `{labels}`, which is filled in."""
        shown = {name: f"{{{name}}}" for _, name in self.pieces} | {LABELS: self.labels}
        return fill_template(self.pieces, shown)

    def fill(self, texts: Sequence[str]) -> str:
        """The prompt of a row.

        Args:
            texts: The texts of `columns`, in their order. Braces in them are left as they are.
        """
        whole = {TEXT: texts[0]} if len(texts) == 1 else {}
        return fill_template(
            self.pieces, {LABELS: self.labels, **whole, **dict(zip(self.columns, texts, strict=True))}
        )


def default_pieces(columns: Sequence[str]) -> Pieces:
    """The prompt that is used when none is given.

    Examples:
        >>> words = LabelWords(labels=("yes", "no"), words=("yes", "no"))
        >>> print(prompt_template(None, ["premise", "claim"], words).fill(["It rains.", "It is wet."]))
        Which of these labels fits the texts below best: yes, no?
        Answer with the label alone: no explanation, no punctuation.
        <BLANKLINE>
        premise: It rains.
        claim: It is wet.
        Label:
    """
    if len(columns) == 1:
        begin = ("Which of these labels fits the text below best: ", LABELS)
        return (begin, (f"{ANSWER_ALONE}Text: ", columns[0]), ("\nLabel:", ""))
    first, second = columns
    begin = ("Which of these labels fits the texts below best: ", LABELS)
    return (begin, (f"{ANSWER_ALONE}{first}: ", first), (f"\n{second}: ", second), ("\nLabel:", ""))


def prompt_template(
    template: str | None, columns: Sequence[str], words: LabelWords, *, place: str = "the prompt"
) -> PromptTemplate:
    """Parse a prompt for a table.

    Args:
        template: Text with `{text}` or the names of the text columns, and `{labels}`; `{{` and `}}` are
            braces. None is `default_pieces`.
        columns: The one or two text columns.
        words: The labels; their words stand for `{labels}`.
        place: What to call the template in messages, such as its path.

    Raises:
        ConfigError: It has no field of a text column, or braces that cannot be read.
        UnknownNameError: It has another field.
    """
    known = (*columns, TEXT) if len(columns) == 1 else tuple(columns)
    pieces = default_pieces(columns) if template is None else parse_template(template, [*known, LABELS])
    used = {field for _, field in pieces}
    missing = [name for name in columns if name not in used]
    if missing and not (len(columns) == 1 and TEXT in used):
        wanted = f"{{{TEXT}}}" if len(columns) == 1 else " and ".join(f"{{{name}}}" for name in columns)
        raise ConfigError(
            f"{place} has no field {{{missing[0]}}}, so different texts would get the same question. Write "
            f"{wanted} where the text belongs."
        )
    return PromptTemplate(pieces=pieces, columns=tuple(columns), labels=", ".join(words.words))


def read_prompt(path: Path | None) -> str | None:
    """The template in a file; None for no file.

    Raises:
        DataError: The file is missing, empty, or not UTF-8.
    """
    if path is None:
        return None
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise DataError(f"the prompt {path} is not UTF-8. Save it as UTF-8.") from None
    except OSError as error:
        raise DataError(f"the prompt {path} cannot be read ({error.strerror}). Check the name.") from None
    if not text.strip():
        raise DataError(f"the prompt {path} is empty. Write {{text}} where the text belongs.")
    return text
