"""Standard benchmarks of language models, as lm-evaluation-harness runs them."""

import difflib
import importlib.util
import logging
import os
import sys
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from lmdistill.core.errors import DataError, MissingExtraError, first_sentence

BATCH_SIZE = 8
"""Texts at a time; all of their logits are in memory at once."""


@dataclass(frozen=True, kw_only=True)
class BenchmarkScore:
    """One number of one task."""

    task: str
    """Name of the task, or of a group of tasks."""

    metric: str
    """Its metric, with the filter of the answers in brackets where there is one."""

    value: float
    """As the task defines it; an accuracy is a fraction."""

    error: float | None
    """Standard error of the value over the examples; None where the harness gives none."""

    examples: int | None
    """How many were asked; None for a group."""

    few_shot: int | None
    """Solved examples before each question; None where the harness does not say."""

    harness: str
    """Version of lm-evaluation-harness."""


@dataclass(frozen=True, kw_only=True)
class Benchmarks:
    """Tasks of the harness that can be run: their data are here."""

    tasks: tuple[str, ...]
    """What the harness calls them; paths of task files as they are."""

    manager: Any
    """The harness's own table of tasks."""


def load_benchmarks(names: Sequence[str]) -> Benchmarks:
    """Find tasks and load their data.

    Args:
        names: Tasks, groups or tags of the harness; paths of task files (YAML); folders of task files, of
            which every group and task is taken. Paths need no network where their data need none.

    Raises:
        MissingExtraError: lm-evaluation-harness is not installed.
        DataError: There is no such task, or its data cannot be loaded.
    """
    if importlib.util.find_spec("lm_eval") is None:
        raise MissingExtraError(
            "benchmarks need lm-evaluation-harness, which is not installed. Run: pip install lmdistill[eval]"
        )
    with _hushed():
        from lm_eval.tasks import TaskManager

        folders = [name for name in names if Path(name).is_dir()]
        inside = {name: _tasks_in(TaskManager(include_path=name, include_defaults=False)) for name in folders}
        elsewhere = any(not Path(name).exists() for name in names)
        manager = TaskManager(include_path=folders, include_defaults=elsewhere)
        chosen = [found for name in names for found in _tasks_of(name, inside, manager)]
        tasks = tuple(dict.fromkeys(chosen))
        for name in tasks:
            _require_data(manager, name)
    return Benchmarks(tasks=tasks, manager=manager)


def benchmark_scores(
    model: Any,
    tokenizer: Any,
    benchmarks: Benchmarks,
    *,
    limit: int | None = None,
    few_shot: int | None = None,
) -> list[BenchmarkScore]:
    """Every number that the harness computes of a causal language model.

    Prompts are those of the task, without a chat template, begun as the tokenizer begins a text.

    Args:
        model: A causal language model of transformers, on its device, in evaluation mode.
        tokenizer: Its tokenizer.
        benchmarks: From `load_benchmarks`.
        limit: Ask only the first examples of each task, >= 1; for a quick look, not for a result.
        few_shot: Solved examples before each question, >= 0; those of the task unless given, or where the
            task fixes 0.

    Raises:
        DataError: If the harness refuses a task, such as one that runs code that the model writes.
    """
    with _hushed():
        from lm_eval.evaluator import simple_evaluate
        from lm_eval.models.huggingface import HFLM

        network = HFLM(pretrained=model, tokenizer=tokenizer, backend="causal", batch_size=BATCH_SIZE)
        try:
            found: Any = simple_evaluate(
                network,
                tasks=list(benchmarks.tasks),  # by name: its task objects remember their last few-shot number
                task_manager=benchmarks.manager,
                limit=limit,
                num_fewshot=few_shot,
                log_samples=False,
            )
        except ValueError as error:
            raise DataError(
                f"the harness refuses these tasks: {first_sentence(error)} Leave them out."
            ) from error
    return [score for task, values in found["results"].items() for score in _scores(task, values, found)]


def _tasks_in(folder: Any) -> Sequence[str]:
    """The groups of a folder and the tasks outside of them; a group stays whole, so that it is summed up."""
    table = folder.task_index
    below = {task for name in folder.all_groups for task in table[name].cfg["task"] if isinstance(task, str)}
    return [name for name in (*folder.all_groups, *folder.all_subtasks) if name not in below]


def _tasks_of(name: str, inside: Mapping[str, Sequence[str]], manager: Any) -> Sequence[str]:
    """What the harness calls the tasks that are meant."""
    if name in inside:
        if not inside[name]:
            raise DataError(f"the folder {name} holds no task of the harness (YAML). Name another one.")
        return inside[name]
    if Path(name).is_file() or name in manager.task_index:
        return [name]
    near = difflib.get_close_matches(name, manager.all_tasks, n=3)
    hint = f" Did you mean {' or '.join(near)}?" if near else ""
    raise DataError(f"{name} is no task of the harness, no task file and no folder of them.{hint}")


def _require_data(manager: Any, name: str) -> None:
    """Whatever keeps a task from being loaded is the user's to mend."""
    try:
        manager.load([name])
    except ConnectionError as error:
        raise DataError(
            f"the data of the benchmark {name} are on the hub, which does not answer "
            f"({first_sentence(error)}) Offline: fetch them on another machine and set HF_HOME to its "
            "cache, or name a task file."
        ) from error
    except Exception as error:  # a gate: task files are programs, and may raise anything
        raise DataError(
            f"the benchmark {name} cannot be loaded: {first_sentence(error)} Mend its file."
        ) from error


def _scores(task: str, values: Mapping[str, Any], found: Mapping[str, Any]) -> Iterator[BenchmarkScore]:
    """The numbers of one task; the harness calls them `metric,filter`."""
    for key, value in values.items():
        metric, comma, sieve = key.partition(",")
        if not comma or metric.endswith("_stderr") or not isinstance(value, int | float):
            continue
        error = values.get(f"{metric}_stderr,{sieve}")
        yield BenchmarkScore(
            task=task,
            metric=metric if sieve == "none" else f"{metric} ({sieve})",
            value=float(value),
            error=float(error) if isinstance(error, int | float) else None,
            examples=found["n-samples"].get(task, {}).get("effective"),
            few_shot=found["n-shot"].get(task),
            harness=version("lm_eval"),
        )


@contextmanager
def _hushed() -> Iterator[None]:
    """No warnings, messages and stray lines of the harness and of the programs that it starts; bars stay."""
    chatter = logging.getLogger("lm_eval")
    level, terminal = chatter.level, sys.stderr.isatty()
    sys.stderr.flush()
    kept = os.dup(2)
    chatter.setLevel(logging.ERROR)
    with (
        open(os.devnull, "w") as nowhere,
        open(kept if terminal else os.devnull, "w", closefd=not terminal) as bars,
        warnings.catch_warnings(),
        redirect_stdout(nowhere),
        redirect_stderr(bars),
    ):
        warnings.simplefilter("ignore")
        os.dup2(nowhere.fileno(), 2)  # a started program knows nothing of sys.stderr
        try:
            yield
        finally:
            os.dup2(kept, 2)
            os.close(kept)
            chatter.setLevel(level)
