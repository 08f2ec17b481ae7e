"""The commands of the examples, run as a user runs them, on less."""

import runpy
import shlex
import sys
from pathlib import Path

import pytest

from lmdistill.cli.main import main

SMALLER = ("data.rows=24", "training.epochs=1", "training.batch_size=16", "teacher.training.epochs=1")
"""What a test adds to a command that trains; everything else is done as it is written."""

SMALLER_LANGUAGE = (
    "texts.rows=40", "texts.dev_rows=6", "texts.max_length=96", "writing.rows=2", "writing.max_new=4",
    "teacher.shape.width=16", "teacher.training.epochs=1", "student.warm.epochs=1", "training.epochs=1",
)  # fmt: skip
"""The same for language models."""


SMALLER_MINIDISC = (
    "task=sst2", "data.source=glue_data", "data.max_length=16", "training.epochs=1", "training.batch_size=40",
    "teacher.training.epochs=20", "teacher.training.batch_size=40", "teacher.training.optimizer.learning_rate=3e-3",
)  # fmt: skip
"""The same where the teacher must know something, since its heads are ranked."""


SMALLER_SEARCH = (
    "search.trials=1", "search.fields.training.epochs=[1]", "teacher.model=bert-base-uncased", "data.rows=24",
    "teacher.training.epochs=1",
)  # fmt: skip
"""The same for searches."""


SMALLER_STUDY = ("axes.student.layers=[1]", "teacher.model=bert-base-uncased", "training.epochs=1")
"""The same for studies, whose runs are processes of their own and see none of what a test replaces."""


def commands(path: Path) -> list[list[str]]:
    """The words of each command of a shell file."""
    lines = path.read_text(encoding="utf-8").replace("\\\n", " ").splitlines()
    return [words for line in lines if (words := shlex.split(line, comments=True))]


def smaller(words: list[str]) -> list[str]:
    """The words after `lmdistill`, on fewer examples, timed once, and with the GLUE folder of the tests."""
    if words[0] == "measure":
        return [*words, "--runs", "1"]
    if words[0] == "study" and "search" in words[1]:
        return [*words, *(part for setting in SMALLER_SEARCH for part in ("--set", setting))]
    if words[0] == "study":
        return [*words, *(part for setting in SMALLER_STUDY for part in ("--set", setting))]
    if words[0] not in {"demo", "distill", "finetune"}:
        return words
    extra = list(SMALLER_LANGUAGE if "--language" in words else SMALLER)
    if len(words) > 1 and "minidisc" in words[1]:
        extra = list(SMALLER_MINIDISC)
    if len(words) > 1 and ("sst2" in words[1] or "augmentation" in words[1]):
        extra.append("data.source=glue_data")
    return [*words, *(part for setting in extra for part in ("--set", setting))]


def run(words: list[str]) -> None:
    """Run one command; whatever it reports as an error fails the test."""
    if words[0] == "python":
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(sys, "argv", words[1:])
            runpy.run_path(words[1], run_name="__main__")
        return
    assert words[0] == "lmdistill", words
    try:
        main(smaller(words[1:]))
    except SystemExit as left:
        if left.code:
            pytest.fail(f"{shlex.join(words)} left with {left.code}")
