"""What the user says about the columns and labels of their table."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, cast, get_args

from lmdistill.core.errors import ConfigError, UnknownNameError
from lmdistill.data.tasks.build_examples import RowFlaw
from lmdistill.data.tasks.task_spec import Kind

DEV_FRACTION = 0.1
"""Fraction of the training rows that is held out as dev set by default."""

Dropped = Literal["empty", "unlabelled", "duplicates"]
"""Rows that can be dropped: with an empty text, without a label, with the text of an earlier row."""


@dataclass(frozen=True, kw_only=True)
class ColumnChoices:
    """What the user specified about their table; None means that it is inferred."""

    text: str | Sequence[str] | None = None
    """Name of the text column, of two for text pairs, or of several that are joined."""

    join: str | None = None
    """What stands between the texts of several columns that are one text; None makes pairs."""

    label: str | Sequence[str] | None = None
    """Name of the label column, or of several with 0 and 1."""

    label_separator: str | None = None
    """What stands between several labels that are one text, such as `";"`."""

    kind: str | None = None
    """Kind of task: "classification", "multilabel" or "regression"."""

    labels: Sequence[str] | Mapping[str, str] | None = None
    """Label names in the order of the model's outputs, or label in the file -> name in this order."""

    drop: tuple[str, ...] = ()
    """Rows to drop, as in `Dropped`; others of these kinds are errors, but for duplicates."""

    dev_fraction: float = DEV_FRACTION
    """Fraction of the training rows to hold out if there is no dev split, in (0, 1)."""

    seed: int = 0
    """Random seed of the held-out rows."""

    def __post_init__(self) -> None:
        if self.kind not in (None, *get_args(Kind)):
            known = ", ".join(map(repr, get_args(Kind)))
            raise ConfigError(f"kind is {self.kind!r}; it must be one of {known}.")
        if self.several is not None and self.kind not in (None, "multilabel"):
            raise ConfigError(
                f"{self.several}, which is for several labels a text, and data.kind is {self.kind}. Leave "
                "one of them out."
            )
        if not 0 < self.dev_fraction < 1:
            raise ConfigError(f"the fraction to hold out must be between 0 and 1, got {self.dev_fraction}.")
        if len(set(self.labels or ())) != len(self.labels or ()):
            raise ConfigError(f"labels has a duplicate: {list(self.labels or ())}. Name each label once.")
        for name in self.drop:
            if name not in get_args(Dropped):
                raise UnknownNameError("kind of row to drop", name, get_args(Dropped))
        if self.join is not None and (self.text is None or isinstance(self.text, str) or len(self.text) < 2):
            raise ConfigError(
                f"data.join is {self.join!r} and data.text names no two columns to join. Name them, or leave "
                "data.join out."
            )

    @property
    def several(self) -> str | None:
        """The setting that makes labels several for a text, in words; None if there is none."""
        if self.label_separator is not None:
            return f"data.label_separator is {self.label_separator!r}"
        several = self.label is not None and not isinstance(self.label, str) and len(self.label) > 1
        return f"data.label names {len(self.label or ())} columns" if several else None

    @property
    def flaws(self) -> tuple[RowFlaw, ...]:
        """Flaws of rows that are dropped."""
        return tuple(cast(RowFlaw, name) for name in self.drop if name != "duplicates")
