"""The zip file for the GLUE test server."""

import logging
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Float, Num

from lmdistill.commands.open_model import Opened, open_model
from lmdistill.core.errors import DataError, MismatchError, RunError
from lmdistill.core.file_lock import sole_writer
from lmdistill.data.load_task import load_task
from lmdistill.data.tasks.collator import TokenizedRows
from lmdistill.data.tasks.plain_rows import texts_of
from lmdistill.data.tasks.task import Task
from lmdistill.data.tasks.task_spec import TASKS
from lmdistill.data.tasks.tokenization import encode
from lmdistill.engine.accelerator import make_accelerator
from lmdistill.engine.training_settings import Training
from lmdistill.evaluation.glue_submission import write_submission
from lmdistill.linear.classifier import LinearClassifier
from lmdistill.metrics.classification import predictions_of
from lmdistill.runs.classification.dataset import EncodedSplit, require_outputs
from lmdistill.runs.classification.linear_model import linear_logits, matched_linear

log = logging.getLogger("lmdistill")

DIAGNOSTIC = "ax"
"""The diagnostic set, which has no training data and is predicted by the model for MNLI."""


def submit(runs: Sequence[str | Path], data: str | Path, out: Path, *, fill: bool = False) -> tuple[str, ...]:
    """Predict the official test files with the students of `runs`, and write the zip file.

    Args:
        runs: One run for each task; that of MNLI also predicts the diagnostic set, if `data` has it.
        data: The official `glue_data` folder, or "hub".
        out: The zip file; written completely or not at all.
        fill: Write constant predictions for tasks without a run, since the server refuses an incomplete zip.

    Returns:
        The tasks with constant predictions.

    Raises:
        MismatchError: If two runs are of one task, or tasks are missing and `fill` is off.
        DataError: If a test file is missing or has other rows than the official one.
        RunError: If another command writes `out`, or the files of a run are not as it wrote them.
    """
    with sole_writer(out):
        return write_submission(out, _answers(runs, data), fill=fill)


def _answers(runs: Sequence[str | Path], data: str | Path) -> dict[str, Num[np.ndarray, " n"]]:
    """Predictions of all runs by the key of the test file."""
    answers: dict[str, Num[np.ndarray, " n"]] = {}
    for target in runs:
        opened = open_model(target)
        for task in _tasks(target, opened, data):
            for key, values in _test_answers(opened, task).items():
                if key in answers:
                    raise MismatchError(
                        f"two runs answer {key}, the second is {target}. Name one run for each task."
                    )
                answers[key] = values
    return answers


def _tasks(target: str | Path, opened: Opened, data: str | Path) -> Iterator[Task]:
    """The test sets that a run predicts: its own, and with MNLI the diagnostic set if `data` has it."""
    if opened.task is None:
        raise RunError(f"{target} is no run, so its task is not known. Name the folder of a run.")
    if opened.task not in TASKS or not TASKS[opened.task].hub:
        raise RunError(
            f"{target} is a run of {opened.task}, which the GLUE test server does not know. Leave it out."
        )
    yield load_task(opened.task, data)
    if opened.task == "mnli":
        try:
            yield load_task(DIAGNOSTIC, data)
        except DataError as error:
            log.warning("the diagnostic set is left out: %s", error)


def _test_answers(opened: Opened, task: Task) -> dict[str, Num[np.ndarray, " n"]]:
    """Predictions by the key of the test file, in the order of its rows."""
    found = {}
    for name, logits in _test_logits(opened, task):
        key = task.spec.name if len(task.spec.test_splits) == 1 else name.replace("test", task.spec.name)
        found[key] = predictions_of(logits)
    return found


def _test_logits(opened: Opened, task: Task) -> Iterator[tuple[str, Float[np.ndarray, "n v"]]]:
    """Name and logits of each test split."""
    if isinstance(opened.model, LinearClassifier):
        model = matched_linear(opened.model, task)
        for name in task.spec.test_splits:
            yield name, linear_logits(model, texts_of(task.split(name), pair=task.is_pair))
        return
    network = opened.model.to(make_accelerator(Training()).device)
    require_outputs(task, network, "student")
    for name in task.spec.test_splits:
        encoded = encode(
            task.split(name), network.tokenizer, max_length=opened.data.max_length, pair=task.is_pair
        )
        split = EncodedSplit(
            student=TokenizedRows(rows=encoded.rows, padding=int(network.tokenizer.pad_token_id)),
            teacher=None,
            truncated=encoded.truncated,
        )
        yield name, split.logits(network, str(next(network.parameters()).device))
