"""Prediction: the rows of a file, each with a classifier's label and probabilities."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Float

from lmdistill.commands.open_model import Opened, open_model
from lmdistill.commands.prediction_file import require_writable, write_predictions
from lmdistill.commands.text_model import LogitsOf, TextModel
from lmdistill.core.file_lock import sole_writer
from lmdistill.data.batching.tokenizer_checks import longest_input
from lmdistill.data.files.text import require_file
from lmdistill.data.tasks.collator import tokenized_rows
from lmdistill.data.tasks.tokenization import tokenize
from lmdistill.engine.accelerator import make_accelerator
from lmdistill.engine.training_settings import Training
from lmdistill.linear.classifier import LinearClassifier
from lmdistill.models.classifier import Network
from lmdistill.runs.classification.dataset import EncodedSplit
from lmdistill.serving.manifest import Answers


def predict(
    target: str | Path,
    source: Path,
    out: Path,
    *,
    text: Sequence[str] = (),
    overrides: Sequence[str] = (),
    escape_formulas: bool = False,
) -> int:
    """Write the rows of `source` to `out`, in their order, each with the model's prediction.

    Memory use does not depend on the length of the file. The file is read twice, so that a row that cannot be
    used is refused before the first prediction. `out` is written completely or not at all.

    Args:
        target: A run folder, a model folder, a hub id.
        source: CSV, TSV, JSON or Parquet, also gzip'd; read as the files of the run were, if it has their
            format.
        out: CSV, TSV or JSON lines, by its suffix.
        text: Column of the text, or columns of the pair; those of the run, or inferred, when empty. Columns
            that the run was not trained on are logged.
        overrides: `data.key=value` for the reading of `source`, such as `data.encoding=latin-1`.
        escape_formulas: Put an apostrophe before cells of CSV and TSV that a spreadsheet would run.

    Returns:
        Number of rows.

    Raises:
        DataError: For a file or a column that cannot be used, with its location.
        ModelError: If the model gives no number for a text.
        RunError: If another command writes `out`, or the files of the run are not as it wrote them.
    """
    require_file(source)
    require_writable(source, out)
    with sole_writer(out):
        model = _text_model(open_model(target, overrides))
        return write_predictions(source, out, model, text=text, escape_formulas=escape_formulas)


def _text_model(opened: Opened) -> TextModel:
    """The model of a run or a folder as one that answers the rows of a file."""
    model, data = opened.model, opened.data
    label = data.label if isinstance(data.label, tuple) else () if data.label is None else (data.label,)
    return TextModel(
        source=model.source,
        answers=answers_of(model),
        task=opened.task,
        columns=opened.columns,
        text=tuple(map(str, data.text)),
        not_text=tuple(map(str, label)),
        join=data.join,
        form=data.form,
        load=lambda: answering(opened),
    )


def answers_of(model: Network | LinearClassifier) -> Answers:
    """What the outputs of a model mean."""
    several = isinstance(model, Network) and model.multi_label
    return Answers(
        kind="regression" if not model.labels else "multilabel" if several else "classification",
        labels=model.labels,
        thresholds=model.thresholds if isinstance(model, Network) else None,
    )


def answering(opened: Opened) -> LogitsOf:
    """A function that gives the logits of first and second texts; for single texts the second are None."""
    if isinstance(opened.model, LinearClassifier):
        return opened.model.logits
    network = opened.model.to(make_accelerator(Training()).device)
    return network_answers(
        network, min(opened.data.max_length, longest_input(network.tokenizer, network.positions))
    )


def network_answers(network: Network, length: int) -> LogitsOf:
    """A function that gives a network's logits of texts or pairs, truncated to `length` tokens."""
    device = str(next(network.parameters()).device)

    def read(first: list[str], second: list[str] | None) -> Float[np.ndarray, "n v"]:
        encoded = tokenize(network.tokenizer, first, second, max_length=length)
        view = tokenized_rows(encoded, padding=int(network.tokenizer.pad_token_id))
        return EncodedSplit(student=view, teacher=None, truncated=0.0).logits(network, device)

    return read
