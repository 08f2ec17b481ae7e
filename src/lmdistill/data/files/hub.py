"""Data sets of the hub, or of a folder that `datasets` reads, as rows of text."""

from pathlib import Path

import datasets
from datasets import Dataset, DatasetDict

from lmdistill.core.errors import DataError
from lmdistill.core.progress import announce
from lmdistill.data.files.progress_bars import without_bars
from lmdistill.data.files.table import Rows, table_rows

DEV_NAMES = ("dev", "validation", "valid", "val", "eval")


def load_dataset_dict(
    name: str, config: str | None, *, instead: str = "give data=FOLDER with its files"
) -> DatasetDict:
    """All splits of a data set of the hub, or of a folder that `datasets` reads.

    Args:
        name: Repository or folder.
        config: Its configuration; None for the only one.
        instead: What helps without network, for messages.

    Raises:
        DataError: It cannot be had, with what to do.
    """
    announce(f"loading the data set {name}")
    try:
        with without_bars(downloads=True):
            if Path(name).is_dir() and (Path(name) / "dataset_dict.json").is_file():
                return datasets.load_from_disk(name)
            return datasets.load_dataset(name, config)
    except Exception as error:  # a gate: hub, network and file errors have no common parent
        said = (str(error).strip() or type(error).__name__).splitlines()[0]
        where = f"{name}:{config}" if config else name
        raise DataError(
            f"the data set {where} cannot be loaded ({said}). Without network, {instead}, "
            "or set HF_HOME to a cache that holds it; else check the name."
        ) from error


def hub_rows(name: str, table: Dataset) -> Rows:
    """Rows of a split as text."""
    plain = table.with_format(None)
    return table_rows(name, plain, plain.features, plain._fingerprint)
