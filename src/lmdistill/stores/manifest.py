"""The manifest of a store of teacher outputs: what the outputs were computed from, and a checksum of them.

A store is a folder with arrays and `manifest.json`, which is written last. A store is used only where every
field of its manifest is the wanted one; the first field that differs is named otherwise. The fields serve
outputs of classifiers and of language models alike: what differs between them is in `kind` and `settings`.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from lmdistill.core.checksums import file_checksum, read_checked_json, write_checked_json
from lmdistill.core.errors import RunError

MANIFEST = "manifest.json"
"""File with the manifest, in the folder of a store."""

FORMAT = 1
"""Number of the layout of stores."""


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """What stored outputs were computed from."""

    kind: str
    """What is stored, such as "classifier logits"."""

    model: str
    """Fingerprint of the teacher's weights and configuration, or of a file of answers."""

    tokenizer: str
    """Fingerprint of its tokenizer; "" if texts were not tokenized here."""

    texts: str
    """Fingerprint of the texts and their order."""

    max_length: int
    """Longest input in tokens; longer texts were truncated."""

    dtype: str
    """Type of the stored numbers, such as "float32"."""

    rows: int
    """Number of texts, >= 0."""

    settings: Mapping[str, Any] = field(default_factory=dict)
    """Everything else that changes the outputs, such as the names of the classes in their order."""

    def difference(self, other: "Manifest") -> str | None:
        """The first field in which two manifests differ, with both values; None if they are equal."""
        ours, theirs = asdict(self), asdict(other)
        for name, value in ours.items():
            if value != theirs[name]:
                return f"{name} is {value!r} there and {theirs[name]!r} here"
        return None


def write_manifest(folder: Path, manifest: Manifest, files: tuple[str, ...]) -> None:
    """Write the manifest of a store whose arrays are complete.

    Args:
        folder: The store.
        manifest: What the outputs were computed from.
        files: Names of its arrays.
    """
    checksums = {name: file_checksum(folder / name) for name in files}
    write_checked_json(folder / MANIFEST, {"format": FORMAT, **asdict(manifest), "files": checksums})


def require_store(folder: Path, wanted: Manifest) -> None:
    """Check that a store holds the wanted outputs, undamaged.

    Raises:
        RunError: It is damaged, of another format, or of something else; the message names the first field
            that differs.
    """
    value = read_checked_json(folder / MANIFEST)
    advice = "Remove the folder, and it is made again."
    if value is None:
        raise RunError(f"{folder / MANIFEST} is damaged. {advice}")
    if value.pop("format", None) != FORMAT:
        raise RunError(f"the store {folder} has another format than {FORMAT}. {advice}")
    files = value.pop("files", {})
    try:
        found = Manifest(**value)
    except TypeError as error:
        raise RunError(f"{folder / MANIFEST} is damaged ({error}). {advice}") from None
    difference = found.difference(wanted)
    if difference is not None:
        raise RunError(
            f"the store {folder} is of other outputs: {difference}. Name another store, or remove it."
        )
    for name, checksum in files.items():
        if not (folder / name).is_file() or file_checksum(folder / name) != checksum:
            raise RunError(f"the store {folder} is damaged: {name} has changed. {advice}")
