"""Reading of plain text files as rows of texts."""

from collections.abc import Iterator
from pathlib import Path

from lmdistill.core.errors import ConfigError, DataError
from lmdistill.core.fingerprint import file_fingerprint, fingerprint
from lmdistill.data.files.formats import suffix_of
from lmdistill.data.files.table import Row, Rows
from lmdistill.data.files.text import open_text, require_file

SUFFIXES = (".txt", ".text", ".tokens")
SEPARATOR = "<|endoftext|>"
"""The separator that is looked for when none is given."""

CHUNK = 1 << 20
"""Number of characters that are read at once."""


def text_file_rows(path: Path, separator: str | None = None) -> Rows:
    r"""The texts of a plain text file (also `.gz`) as rows with one column, `text`; blank texts are skipped.

    Args:
        path: The file.
        separator: The string that ends each text, such as "<|endoftext|>"; "\n\n" for one text per
            paragraph, "\n" for one text per line. None uses `SEPARATOR` if it occurs in the first `CHUNK`
            characters, else "\n". Text after the last separator counts as truncated: it is dropped, with a
            note. If the separator is white space it is kept, because files often end without one.

    Raises:
        DataError: The file is missing, or the separator does not occur in it.
        ConfigError: The separator is empty.
    """
    require_file(path)
    if separator == "":
        raise ConfigError(r'texts.separator is empty. Set it to a string like "<|endoftext|>" or "\n".')
    origin = "" if separator else " (inferred)"
    chosen = separator or _infer_separator(path)
    count, is_truncated = _count_texts(path, chosen)
    if not count and chosen != "\n":
        advice = (
            "Set texts.separator to the string that ends each text" if separator else "Put texts before it"
        )
        raise DataError(f"{path}: no text in it ends with {chosen!r}. {advice}, or name another file.")
    layout = "one text a line" if chosen == "\n" else f"texts end with {chosen!r}"
    notes = [f"{count} texts, {layout}{origin}"]
    notes += [f"the last text does not end with {chosen!r}: dropped as truncated"] if is_truncated else []

    def read() -> Iterator[Row]:
        return (Row(n, {"text": text}, {"text": text}) for n, text in enumerate(_texts(path, chosen), 1))

    key = fingerprint("prose", file_fingerprint(path), chosen)
    return Rows(name=str(path), unit="row", fieldnames=("text",), key=key, read=read, notes=tuple(notes))


def has_text_files(path: Path) -> bool:
    """Whether `path` is a plain text file by its suffix, or a folder that contains one."""
    return any(suffix_of(file) in SUFFIXES for file in (path.iterdir() if path.is_dir() else (path,)))


def _infer_separator(path: Path) -> str:
    r"""`SEPARATOR` if it occurs in the first `CHUNK` characters, else "\n"."""
    with open_text(path, newline="\n") as file:
        return SEPARATOR if SEPARATOR in file.read(CHUNK) else "\n"


def _split_at_separator(path: Path, separator: str) -> Iterator[tuple[str, bool]]:
    """The texts between separators, and whether a separator follows; reads the file in chunks, each once."""
    overlap = len(separator) - 1  # a separator may lie across two chunks
    begun: list[str] = []
    rest = ""
    with open_text(path, newline="\n") as file:
        while chunk := file.read(CHUNK):
            *complete, rest = (rest + chunk).split(separator)
            if complete:
                yield "".join(begun) + complete[0], True
                yield from ((text, True) for text in complete[1:])
                begun.clear()
            cut = max(0, len(rest) - overlap)
            begun.append(rest[:cut])
            rest = rest[cut:]
    yield "".join(begun) + rest, False


def _texts(path: Path, separator: str) -> Iterator[str]:
    """The complete texts, without white space at their ends."""
    for text, is_ended in _split_at_separator(path, separator):
        if text.strip() and (is_ended or not separator.strip()):
            yield text.replace("\r\n", "\n").strip()


def _count_texts(path: Path, separator: str) -> tuple[int, bool]:
    """The number of complete texts, and whether the last text is truncated."""
    is_truncated = False
    for text, is_ended in _split_at_separator(path, separator):
        is_truncated = not is_ended and bool(text.strip()) and bool(separator.strip())
    return sum(1 for _ in _texts(path, separator)), is_truncated
