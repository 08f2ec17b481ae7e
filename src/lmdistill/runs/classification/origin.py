"""Where a student comes from that was trained before: the first of two steps."""

from pathlib import Path

from lmdistill.core.checksums import file_checksum
from lmdistill.models.loading.resolve import classifier_labels, read_encoder_config, resolve
from lmdistill.records.integrity import STUDENT
from lmdistill.records.origin import Origin
from lmdistill.records.record import RECORD, Record, read_record


def origin_of(model: str) -> Origin | None:
    """What is known of a trained classifier that a student begins as.

    Args:
        model: Run folder, model folder or hub id.

    Returns:
        None if it is no classifier, but a pretrained encoder without a head.

    Raises:
        ModelError: Its configuration cannot be loaded.
        RunError: Its record cannot be read.
    """
    place = resolve(model)
    labels = classifier_labels(read_encoder_config(place))
    if labels is None:
        return None
    folder = Path(place)
    files = sorted(folder.glob("*.safetensors")) if folder.is_dir() else []
    facts = {"source": model, "labels": labels, "files": {file.name: file_checksum(file) for file in files}}
    record = _record_of(folder)
    if record is None:
        return Origin(**facts)  # type: ignore[arg-type]
    return Origin(
        **facts,  # type: ignore[arg-type]
        task=record.task.name,
        name=record.name,
        seed=record.seed,
        fingerprint=record.student.fingerprint,
        steps=record.training.steps,
        seconds=record.training.seconds,
    )


def origin_of_loaded(source: str) -> Origin | None:
    """What is known of the classifier that a network was loaded from; None if it was made otherwise.

    Args:
        source: The network's `source`, a folder only where it was loaded from one as it is.
    """
    # a truncated network names its layers too, and is nowhere as a folder
    return origin_of(source) if Path(source).is_dir() else None


def _record_of(folder: Path) -> Record | None:
    """The record of the run whose student lies in `folder`; None if no run made it."""
    run = folder.absolute().parent
    return read_record(run) if folder.name == STUDENT and (run / RECORD).is_file() else None
