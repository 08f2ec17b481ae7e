"""A table and its text columns: the one or two texts of each row, checked."""

from collections.abc import Iterator
from dataclasses import dataclass

from lmdistill.core.errors import DataError
from lmdistill.data.files.table import Row, Rows
from lmdistill.data.tasks.build_examples import texts_of
from lmdistill.data.tasks.label_inference import require_plain_text


@dataclass(frozen=True, kw_only=True)
class TextTable:
    """The rows of a file, and where their texts are."""

    rows: Rows
    """Rows of the file, which can be read several times."""

    columns: tuple[str, ...]
    """Names of one text column, of the two of a pair, or of several that are joined."""

    join: str | None = None
    """What stands between columns that are joined to one text; None joins none."""

    def texts(self, row: Row) -> tuple[str, ...]:
        """The one or two texts of a row.

        Raises:
            DataError: One is empty, or is no text; with its location.
        """
        location = self.rows.location(row.number)
        for column in self.columns:
            require_plain_text(row, column, location)
        texts = texts_of(row.fields, self.columns, self.join)
        if not all(text.strip() for text in texts):
            blank = next(column for column in self.columns if not row.fields.get(column, "").strip())
            raise DataError(f"{location}: the text in {blank!r} is empty. Fill it in, or remove the row.")
        return tuple(texts)

    def all_texts(self) -> Iterator[tuple[str, ...]]:
        """The texts of every row, in order."""
        return (self.texts(row) for row in self.rows.read())
