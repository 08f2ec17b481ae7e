"""`text_hashes.npz`: hashes of the texts that trained or chose a student, to tell whether it knows a text."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
from jaxtyping import UInt64

from lmdistill.core.atomic_io import atomic_file
from lmdistill.core.errors import DataError

TEXT_HASHES = "text_hashes.npz"
"""Name of the file, in a run folder and in an exported one."""

Hashes = Mapping[str, UInt64[np.ndarray, " _"]]
"""What texts were used for (`train`, `unlabelled`, `teacher`, `dev`, `calibration`) to their hashes."""


def write_text_hashes(folder: Path, groups: Mapping[str, Sequence[UInt64[np.ndarray, " _"]]]) -> None:
    """Write the hashes of each group, sorted and each once; groups without texts are left out."""
    found: dict[str, Any] = {
        name: np.unique(np.concatenate(parts)) for name, parts in groups.items() if any(map(len, parts))
    }
    with atomic_file(folder / TEXT_HASHES) as part, part.open("wb") as file:
        np.savez(file, **found)


def read_text_hashes(folder: Path) -> dict[str, UInt64[np.ndarray, " _"]] | None:
    """The hashes of a folder by group; None if it has none, as those of older versions.

    Raises:
        DataError: The file is damaged.
    """
    path = folder / TEXT_HASHES
    if not path.is_file():
        return None
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as found:
            groups = {name: found[name] for name in found.files}
    except (OSError, ValueError, TypeError, EOFError, KeyError, BadZipFile) as error:
        raise DataError(f"{path} cannot be read ({error}). Remove it, or make its folder again.") from None
    if any(one.dtype != np.uint64 or one.ndim != 1 for one in groups.values()):
        raise DataError(f"{path} holds no hashes of texts. Remove it, or make its folder again.")
    return groups
