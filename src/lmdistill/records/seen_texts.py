"""The texts that trained or chose a model, found by its folder."""

from pathlib import Path

from lmdistill.records.integrity import STUDENT
from lmdistill.records.text_hashes import Hashes, read_text_hashes


def seen_texts(model: Path) -> Hashes:
    """Hashes of the texts that a model has seen, by use: of its run, or of a folder that holds them itself.

    Args:
        model: Folder of the weights.

    Returns:
        {} if nothing is known of them.

    Raises:
        DataError: The file of hashes is damaged.
    """
    found = read_text_hashes(model)
    if found is None and model.name == STUDENT:
        found = read_text_hashes(model.absolute().parent)
    return found or {}
