"""Data sets of the Hugging Face hub, or of a folder that `datasets` can read, as rows of text."""

from pathlib import Path

import datasets
from datasets import Dataset, DatasetDict

from lmdistill.core.errors import DataError
from lmdistill.core.progress import announce
from lmdistill.data.files.progress_bars import without_bars
from lmdistill.data.files.table import Rows, table_rows

DEV_NAMES = ("dev", "validation", "valid", "val", "eval")
"""Names under which a data set may have its dev split, in order of preference."""


def load_dataset_dict(
    name: str, config: str | None, *, instead: str = "set data.source to a folder with its files"
) -> DatasetDict:
    """All splits of a data set of the hub, or of a folder that `datasets` can read.

    Args:
        name: Repository on the hub, or folder.
        config: Configuration (subset) of the data set; None if it has only one.
        instead: What the user can do without network, for the error message.

    Raises:
        DataError: The data set cannot be loaded.
    """
    announce(f"loading the data set {name}")
    try:
        with without_bars(downloads=True):
            if Path(name).is_dir() and (Path(name) / "dataset_dict.json").is_file():
                return datasets.load_from_disk(name)
            return datasets.load_dataset(name, config)
    except Exception as error:  # errors of the hub, the network and files have no common base class
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        address = f"{name}:{config}" if config else name
        raise DataError(
            f"the data set {address} cannot be loaded ({reason}). Without network, {instead}, "
            "or set HF_HOME to a cache that has it. With network, check the name."
        ) from error


def hub_rows(name: str, table: Dataset) -> Rows:
    """The rows of one split, every cell as text.

    Args:
        name: Name of the split in messages.
        table: The split.
    """
    plain = table.with_format(None)
    return table_rows(name, plain, plain.features, plain._fingerprint)
