"""Opening of UTF-8 text files, gzip-compressed or not, with precise error messages."""

import difflib
import gzip
import io
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO, cast

from lmdistill.core.errors import DataError


def require_file(path: Path) -> None:
    """Check that a path is a file; the error message suggests the most similar existing name.

    Raises:
        DataError: There is no such file, or it is a folder.
    """
    if path.is_file():
        return
    if path.is_dir():
        raise DataError(f"{path} is a folder; name one of the files in it.")
    folder = path.parent
    while not folder.is_dir():
        folder = folder.parent
    if folder != path.parent:
        raise DataError(
            f"{path} does not exist: {folder} has no folder {path.relative_to(folder).parts[0]!r}."
        )
    similar_names = difflib.get_close_matches(
        path.name, sorted(entry.name for entry in folder.iterdir()), n=1, cutoff=0.5
    )
    hint = f" Did you mean {similar_names[0]!r}?" if similar_names else ""
    raise DataError(f"{path} does not exist.{hint or ' Check the name.'}")


def _open_binary(path: Path) -> gzip.GzipFile | io.BufferedReader:
    """Open the file for reading bytes, decompressed if it ends in `.gz`."""
    return gzip.open(path, "rb") if path.suffix.lower() == ".gz" else path.open("rb")


def _not_utf8(path: Path) -> DataError:
    """The error for a file that is not UTF-8; it names the first such byte."""
    offset = 0
    with _open_binary(path) as file:
        for number, line in enumerate(file, 1):
            try:
                line.decode("utf-8")
            except UnicodeDecodeError as error:
                bad_byte = line[error.start]
                return DataError(
                    f"{path}, line {number}: byte {offset + error.start} is 0x{bad_byte:02x}, which is not "
                    "UTF-8; save the file as UTF-8."
                )
            offset += len(line)
    return DataError(f"{path} is not UTF-8. Save the file as UTF-8.")


@contextmanager
def open_text(path: Path, newline: str = "") -> Iterator[TextIO]:
    r"""Open `path` as UTF-8 text, with or without a byte order mark, decompressed if it ends in `.gz`.

    Args:
        path: The file.
        newline: As in `open`: "" keeps all line ends for the csv module; "\n" ends lines at "\n" only.

    Raises:
        DataError: A byte is not UTF-8 (the message names it), or the compressed file is damaged.
    """
    try:
        open_function = gzip.open if path.suffix.lower() == ".gz" else open
        with cast(TextIO, open_function(path, "rt", encoding="utf-8-sig", newline=newline)) as file:
            yield file
    except UnicodeDecodeError as error:
        raise _not_utf8(path) from error
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise DataError(
            f"{path}: the compressed file is damaged ({error}). Copy or compress it again."
        ) from error
