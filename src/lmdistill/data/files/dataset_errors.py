"""Conversion of errors of the `datasets` library to errors of this package."""

from datasets.exceptions import DatasetGenerationError

from lmdistill.core.errors import DataError


def underlying_error(error: DatasetGenerationError) -> Exception:
    """The cause of a failed `Dataset.from_generator`.

    Args:
        error: What `datasets` raised; its `__cause__` is the error inside the generator or of the disk.

    Returns:
        The `DataError` that the generator raised; a `DataError` with advice if the disk failed; else a
        `RuntimeError`.
    """
    cause: BaseException | None = error.__cause__
    if isinstance(cause, DataError):
        return cause
    if isinstance(cause, OSError):
        return DataError(
            f"the examples cannot be stored ({cause}). Free space, or set HF_DATASETS_CACHE to a folder."
        )
    return RuntimeError(f"the examples cannot be written: {cause or error}")
