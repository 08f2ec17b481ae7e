"""Prediction by an exported classifier, without torch: the rows of a file, each with its answer."""

import logging
from collections.abc import Sequence
from pathlib import Path

from lmdistill.commands.prediction_file import DEFER, require_writable, write_predictions
from lmdistill.commands.text_model import TextModel
from lmdistill.core.errors import ConfigError
from lmdistill.core.file_lock import sole_writer
from lmdistill.data.files.table_format import TableFormat
from lmdistill.data.files.text import require_file
from lmdistill.serving.manifest import read_manifest
from lmdistill.serving.predictor import chosen_graph, load_predictor

log = logging.getLogger("lmdistill")

FORM = ("encoding", "delimiter", "quote", "header")
"""Settings of data that say how a file is written."""


def predict_exported(
    folder: str | Path,
    source: Path,
    out: Path,
    *,
    text: Sequence[str] = (),
    overrides: Sequence[str] = (),
    escape_formulas: bool = False,
    graph: str | None = None,
) -> int:
    """Write the rows of `source` to `out`, each with the prediction of an exported classifier.

    Args:
        folder: What `lmdistill export` wrote.
        source: CSV, TSV, JSON or Parquet, also gzip'd.
        out: CSV, TSV or JSON lines, by its suffix.
        text: Column of the text, or columns of the pair; those of the run, or inferred, when empty.
        overrides: Settings of a recipe, which an exported folder has none of.
        escape_formulas: Put an apostrophe before cells of CSV and TSV that a spreadsheet would run.
        graph: Name of the graph; the folder's default if None.

    Returns:
        Number of rows.

    Raises:
        ConfigError: If there are overrides, no such graph, or no runtime for it.
        DataError: For a file or a column that cannot be used, with its location.
        ModelError: If the folder cannot be read.
        RunError: If another command writes `out`.
    """
    if overrides:
        raise ConfigError(
            f"{folder} is an exported model without a recipe, so --set has no effect. Leave it out."
        )
    require_file(source)
    require_writable(source, out)
    model = exported_text_model(folder, graph)
    _tell_uncertified(folder, graph)
    with sole_writer(out):
        return write_predictions(source, out, model, text=text, escape_formulas=escape_formulas)


def exported_text_model(folder: str | Path, graph: str | None = None) -> TextModel:
    """An exported graph as one that answers the rows of a file, with its certified threshold.

    Args:
        folder: What `lmdistill export` wrote.
        graph: Name of the graph; the folder's default if None.

    Raises:
        ConfigError: If there is no such graph, or no runtime for it.
        ModelError: If the folder cannot be read.
    """
    manifest = read_manifest(Path(folder))
    name, data = chosen_graph(manifest, folder, graph), manifest.origin.data
    certificate = manifest.certificates.get(name)
    label = data.get("label")
    return TextModel(
        source=str(folder),
        answers=manifest.answers,
        task=manifest.origin.task,
        columns=manifest.reads.columns,
        text=tuple(map(str, data.get("text", ()))),
        not_text=tuple(map(str, label if isinstance(label, list) else [] if label is None else [label])),
        join=data.get("join"),
        form=TableFormat(**{name: data[name] for name in FORM if name in data}),
        threshold=None if certificate is None else certificate.threshold,
        load=lambda: load_predictor(folder, graph=name).logits,
    )


def _tell_uncertified(folder: str | Path, graph: str | None) -> None:
    """Say so if the graph that answers is not certified, and others are."""
    manifest = read_manifest(Path(folder))
    name = chosen_graph(manifest, folder, graph)
    if name not in manifest.certificates and manifest.certificates:
        log.warning(
            "%s of %s is not certified, and %s is, so there is no column %s. Choose that with --graph, or "
            "certify this one.",
            name,
            folder,
            ", ".join(manifest.certificates),
            DEFER,
        )
