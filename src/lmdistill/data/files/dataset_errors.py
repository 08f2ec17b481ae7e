"""Errors of `datasets` as one of ours."""

from datasets.exceptions import DatasetGenerationError

from lmdistill.core.errors import DataError


def underlying_error(error: DatasetGenerationError) -> Exception:
    """What went wrong while examples were written, as one of our errors."""
    cause: BaseException | None = error.__cause__
    if isinstance(cause, DataError):
        return cause
    if isinstance(cause, OSError):
        return DataError(
            f"the examples cannot be stored ({cause}). Free space, or set HF_DATASETS_CACHE to a folder."
        )
    return RuntimeError(f"the examples cannot be written: {cause or error}")
