"""The index of weights in several files (`model.safetensors.index.json`), which names those files.

A name such as `../../other/model.safetensors` would make a library read a file that the folder does not hold.
"""

import json
from pathlib import Path

from lmdistill.core.errors import ModelError, first_line


def require_own_weights(folder: Path) -> None:
    """Refuse a model folder with an index that names a file outside, also by a symbolic link, or a pickle.

    A snapshot in the cache of the hub holds links into the folder `blobs` of its repository; they may stay.

    Raises:
        ModelError: If there is such an index, or one that cannot be read.
    """
    inside = [folder.resolve()]
    if folder.resolve().parent.name == "snapshots":
        inside.append(folder.resolve().parents[1] / "blobs")
    for index in sorted((*folder.glob("*.index.json"), *folder.glob("*/*.index.json"))):
        for name in sorted(_files_of(index)):
            if index.name.endswith(".safetensors.index.json") and not name.endswith(".safetensors"):
                raise ModelError(f"{index} names {name!r}, which is not safetensors. Save the model again.")
            path = Path(name)
            is_plain = not path.is_absolute() and ".." not in path.parts and "\\" not in name
            if not is_plain or not any(
                (index.parent / path).resolve().is_relative_to(place) for place in inside
            ):
                raise ModelError(
                    f"{index} names the weights {name!r}, which are outside its folder. Copy them into the "
                    "folder, and name them without folders."
                )


def _files_of(index: Path) -> set[str]:
    """The names of the files of weights; none for a file that is no index of weights."""
    try:
        table = json.loads(index.read_text(encoding="utf-8"))
    except (ValueError, RecursionError, OSError) as error:
        raise ModelError(
            f"{index} cannot be read ({first_line(error)}). Copy or download it again."
        ) from None
    known = table.get("weight_map") if isinstance(table, dict) else None
    if known is None:
        return set()
    if not isinstance(known, dict) or not all(
        isinstance(name, str) and "\0" not in name for name in known.values()
    ):
        raise ModelError(f"{index} has no table of file names in weight_map. Copy or download it again.")
    return set(known.values())
