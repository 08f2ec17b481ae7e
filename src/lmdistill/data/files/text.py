"""Opening of text files, gzip-compressed or not, with precise error messages."""

import codecs
import difflib
import gzip
import io
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO, cast

from lmdistill.core.errors import DataError

SAMPLE = 1 << 20
"""Number of bytes that are looked at to recognize UTF-8."""


def require_file(path: Path) -> None:
    """Check that a path is a file; the error message suggests the most similar existing name.

    Raises:
        DataError: There is no such file, or it is a folder.
    """
    if path.is_file():
        return
    if path.is_dir():
        raise DataError(f"{path} is a folder; name one of the files in it.")
    if path.exists():
        raise DataError(f"{path} is a device or a pipe, which cannot be read twice. Name a file.")
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


def _undecodable(path: Path, encoding: str, advice: str) -> DataError:
    """The error for a file that is not in the encoding; it names the first such byte."""
    name = "UTF-8" if encoding == "utf-8-sig" else encoding
    offset = 0
    with _open_binary(path) as file:
        is_wide = file.read(2) in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
        guess = "utf-16" if is_wide else "latin-1 or cp1252"
        more = f", {advice.format(guess=guess)}" if advice else ""
        file.seek(0)
        for number, line in enumerate(file, 1):
            try:
                line.decode("utf-8" if encoding == "utf-8-sig" else encoding)
            except UnicodeDecodeError as error:
                if codecs.lookup(encoding).name.startswith(("utf-16", "utf-32")):
                    break  # lines of bytes are no lines of text
                return DataError(
                    f"{path}, line {number}: byte {offset + error.start} is 0x{line[error.start]:02x}, which "
                    f"is not {name}; save the file as UTF-8{more}."
                )
            offset += len(line)
    return DataError(f"{path} is not {name}. Save the file as UTF-8{more}.")


@contextmanager
def open_text(
    path: Path, newline: str = "", *, encoding: str | None = None, advice: str = ""
) -> Iterator[TextIO]:
    r"""Open a text file, decompressed if it ends in `.gz`.

    Args:
        path: The file.
        newline: As in `open`: "" keeps all line ends for the csv module; "\n" ends lines at "\n" only.
        encoding: Name of its encoding; None is UTF-8, with or without a byte order mark.
        advice: What else the user can do about another encoding, for the error message; `{guess}` stands
            for its probable name.

    Raises:
        DataError: A byte is not in the encoding (the message names it), or the compressed file is damaged.
    """
    codec = "utf-8-sig" if encoding is None or codecs.lookup(encoding).name == "utf-8" else encoding
    try:
        open_function = gzip.open if path.suffix.lower() == ".gz" else open
        with cast(TextIO, open_function(path, "rt", encoding=codec, newline=newline)) as file:
            yield file
    except UnicodeEncodeError:
        raise  # from the block
    except UnicodeError as error:  # UTF-16 without its mark is no UnicodeDecodeError
        raise _undecodable(path, codec, advice) from error
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise DataError(
            f"{path}: the compressed file is damaged ({error}). Copy or compress it again."
        ) from error


def is_utf8(path: Path) -> bool:
    """Whether the beginning of a file has characters outside of ASCII and is valid UTF-8."""
    with _open_binary(path) as file:
        sample = file.read(SAMPLE)
    try:
        codecs.getincrementaldecoder("utf-8")().decode(sample)
    except UnicodeDecodeError:
        return False
    return not sample.isascii()
