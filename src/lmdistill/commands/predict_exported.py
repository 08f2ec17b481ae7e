"""Prediction by an exported classifier, without torch: the rows of a file, each with its answer."""

from collections.abc import Sequence
from pathlib import Path

from lmdistill.commands.prediction_file import TextModel, require_writable, write_predictions
from lmdistill.core.errors import ConfigError
from lmdistill.core.file_lock import sole_writer
from lmdistill.data.files.table_format import TableFormat
from lmdistill.data.files.text import require_file
from lmdistill.serving.manifest import read_manifest
from lmdistill.serving.predictor import load_predictor

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
    with sole_writer(out):
        return write_predictions(source, out, model, text=text, escape_formulas=escape_formulas)


def exported_text_model(folder: str | Path, graph: str | None) -> TextModel:
    """An exported classifier as what answers the rows of a file; its graph is loaded when it is first asked.

    Args:
        folder: What `lmdistill export` wrote.
        graph: Name of the graph; the folder's default if None.

    Raises:
        ModelError: If the folder cannot be read.
    """
    manifest = read_manifest(Path(folder))
    answers, data = manifest.answers, manifest.origin.data
    label = data.get("label")
    return TextModel(
        source=str(folder),
        labels=answers.labels,
        thresholds=answers.thresholds,
        multi_label=answers.kind == "multilabel",
        task=manifest.origin.task,
        columns=manifest.reads.columns,
        text=tuple(map(str, data.get("text", ()))),
        not_text=tuple(map(str, label if isinstance(label, list) else [] if label is None else [label])),
        join=data.get("join"),
        form=TableFormat(**{name: data[name] for name in FORM if name in data}),
        load=lambda: load_predictor(folder, graph=graph).logits,
    )
