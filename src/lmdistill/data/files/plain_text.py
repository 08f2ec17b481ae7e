"""Prose: plain text files as rows, and texts joined and cut into blocks of equal length."""

from collections.abc import Iterator
from pathlib import Path

from lmdistill.core.errors import ConfigError, DataError
from lmdistill.core.fingerprint import file_fingerprint, fingerprint
from lmdistill.data.files.formats import suffix_of
from lmdistill.data.files.table import Row, Rows
from lmdistill.data.files.text import open_text, require_file

SUFFIXES = (".txt", ".text", ".tokens")
SEPARATOR = "<|endoftext|>"
"""What is looked for when no separator is given."""

CHUNK = 1 << 20
"""Characters that are read at once."""


def text_file_rows(path: Path, separator: str | None = None) -> Rows:
    r"""Texts of a plain text file (also `.gz`) as rows with one column, `text`; blank ones are left out.

    Args:
        path: The file.
        separator: What ends each text, like "<|endoftext|>"; "\n\n" for paragraphs; "\n" for a text a line.
            None takes `SEPARATOR` if it stands in the first `CHUNK` characters, else a text a line. What
            follows the last separator has been cut off somewhere: it is dropped and said, unless the
            separator is white space, which may be missing at the end of a whole file.

    Raises:
        DataError: The file is missing, or the separator does not stand in it.
        ConfigError: The separator is empty.
    """
    require_file(path)
    if separator == "":
        raise ConfigError(r'texts.separator is empty. Set it to one such as "<|endoftext|>", or "\n".')
    said = "" if separator else " (inferred)"
    chosen = separator or _inferred(path)
    count, cut = _counted(path, chosen)
    if not count and chosen != "\n":
        mend = "Set texts.separator to what does" if separator else "Put texts before it"
        raise DataError(f"{path}: {chosen!r} ends no text in it. {mend}, or name another file.")
    how = "one text a line" if chosen == "\n" else f"texts end with {chosen!r}"
    notes = [f"{count} texts, {how}{said}"]
    notes += [f"the last text is not ended by {chosen!r}: taken for cut and dropped"] if cut else []

    def read() -> Iterator[Row]:
        return (Row(n, {"text": text}, {"text": text}) for n, text in enumerate(_texts(path, chosen), 1))

    key = fingerprint("prose", file_fingerprint(path), chosen)
    return Rows(name=str(path), unit="row", fieldnames=("text",), key=key, read=read, notes=tuple(notes))


def has_text_files(path: Path) -> bool:
    """Whether a path is that of a text file, or a folder that holds one."""
    return any(suffix_of(one) in SUFFIXES for one in (path.iterdir() if path.is_dir() else (path,)))


def _inferred(path: Path) -> str:
    """`SEPARATOR` if it stands near the beginning, else the end of a line."""
    with open_text(path, newline="\n") as file:
        return SEPARATOR if SEPARATOR in file.read(CHUNK) else "\n"


def _parts(path: Path, separator: str) -> Iterator[tuple[str, bool]]:
    """What stands between separators, and whether one follows; the file is never held as a whole."""
    held = ""
    with open_text(path, newline="\n") as file:
        while chunk := file.read(CHUNK):
            *whole, held = (held + chunk).split(separator)
            yield from ((text, True) for text in whole)
    yield held, False


def _texts(path: Path, separator: str) -> Iterator[str]:
    """Whole texts without blanks around them."""
    for text, ended in _parts(path, separator):
        if text.strip() and (ended or not separator.strip()):
            yield text.replace("\r\n", "\n").strip()


def _counted(path: Path, separator: str) -> tuple[int, bool]:
    """How many whole texts there are, and whether the last one is cut."""
    cut = False
    for text, ended in _parts(path, separator):
        cut = not ended and bool(text.strip()) and bool(separator.strip())
    return sum(1 for _ in _texts(path, separator)), cut
