"""Text files: opened as UTF-8, gzip'd or not, with messages that name the byte and the nearest file."""

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
    """Refuse a path that is no file, with the nearest name that exists.

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
    near = difflib.get_close_matches(
        path.name, sorted(entry.name for entry in folder.iterdir()), n=1, cutoff=0.5
    )
    hint = f" Did you mean {near[0]!r}?" if near else ""
    raise DataError(f"{path} does not exist.{hint or ' Check the name.'}")


def _open_binary(path: Path) -> gzip.GzipFile | io.BufferedReader:
    """The file's contents, decompressed."""
    return gzip.open(path, "rb") if path.suffix.lower() == ".gz" else path.open("rb")


def _not_utf8(path: Path) -> DataError:
    """The error that names the first byte which is not UTF-8."""
    offset = 0
    with _open_binary(path) as file:
        for number, line in enumerate(file, 1):
            try:
                line.decode("utf-8")
            except UnicodeDecodeError as error:
                byte = line[error.start]
                return DataError(
                    f"{path}, line {number}: byte {offset + error.start} is 0x{byte:02x}, which is not "
                    "UTF-8; save the file as UTF-8."
                )
            offset += len(line)
    return DataError(f"{path} is not UTF-8. Save the file as UTF-8.")


@contextmanager
def open_text(path: Path, newline: str = "") -> Iterator[TextIO]:
    r"""Open `path` as UTF-8 text, with or without a byte order mark, decompressed when it ends in `.gz`.

    Args:
        path: The file.
        newline: As in `open`: "" leaves line ends to the csv module, "\n" ends lines nowhere else.

    Raises:
        DataError: A byte is not UTF-8 (the message names it), or the compressed file is damaged.
    """
    try:
        opened = gzip.open if path.suffix.lower() == ".gz" else open
        with cast(TextIO, opened(path, "rt", encoding="utf-8-sig", newline=newline)) as file:
            yield file
    except UnicodeDecodeError as error:
        raise _not_utf8(path) from error
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise DataError(
            f"{path}: the compressed file is damaged ({error}). Copy or compress it again."
        ) from error
