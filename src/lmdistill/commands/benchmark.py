"""Benchmarks of lm-evaluation-harness for a trained language model and its teacher."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

from lmdistill.commands.open_language_model import places_of
from lmdistill.commands.open_model import require_finished
from lmdistill.core.errors import ConfigError
from lmdistill.core.progress import announce
from lmdistill.engine.accelerator import make_accelerator
from lmdistill.engine.distributed import on_main_process
from lmdistill.engine.training_settings import Training
from lmdistill.evaluation.lm_eval_harness import benchmark_scores, load_benchmarks
from lmdistill.models.loading.causal_lm import load_causal
from lmdistill.records.benchmarks import BenchmarkFacts, add_benchmarks
from lmdistill.records.record import RECORD
from lmdistill.runs.language.teacher_cache import DTYPES
from lmdistill.runs.write_report import write_pages


def run_benchmarks(
    target: str | Path,
    names: Sequence[str],
    *,
    limit: int | None = None,
    few_shot: int | None = None,
    with_teacher: bool = True,
) -> Mapping[str, Sequence[BenchmarkFacts]]:
    """Evaluate a run's student and teacher, or any causal language model, with lm-evaluation-harness.

    Results of a run are added to its `benchmarks.json` and to its report.

    Args:
        target: A run of a language model, a model folder, a hub id.
        names: Tasks of the harness, task files, folders of task files.
        limit: Number of examples of each task, >= 1; all unless given.
        few_shot: Solved examples before each question, >= 0; those of the task unless given.
        with_teacher: Evaluate the teacher of a run too, if its folder still exists.

    Returns:
        Results by network: `student` and `teacher` of a run, or the name of the model.

    Raises:
        MissingExtraError: If lm-evaluation-harness is not installed.
        DataError: If a task does not exist, or its data cannot be loaded.
        ModelError: If the model cannot be loaded, or is no causal language model.
        RunError: If the run is not finished, or the folder holds several.
        ConfigError: If a setting is out of its range.
    """
    for name, value, least in (("limit", limit, 1), ("few_shot", few_shot, 0)):
        if value is not None and value < least:
            raise ConfigError(f"{name} must be >= {least}, got {value}.")
    require_finished(Path(target))
    benchmarks = load_benchmarks(names)
    device = make_accelerator(Training()).device
    found: dict[str, Sequence[BenchmarkFacts]] = {}
    for role, (place, dtype) in places_of(Path(target), with_teacher=with_teacher).items():
        announce(f"benchmarks of {role}: {', '.join(names)}")
        network = load_causal(place, dtype=DTYPES[dtype]).to(device)
        scores = benchmark_scores(
            network.model, network.tokenizer, benchmarks, limit=limit, few_shot=few_shot
        )
        found[role] = tuple(BenchmarkFacts(**asdict(score), limit=limit) for score in scores)
    if (Path(target) / RECORD).is_file():
        on_main_process(lambda: _keep(Path(target), found))
    return found


def _keep(folder: Path, found: Mapping[str, Sequence[BenchmarkFacts]]) -> None:
    """Write the results into the run folder, and its page again."""
    add_benchmarks(folder, found)
    write_pages(folder)
