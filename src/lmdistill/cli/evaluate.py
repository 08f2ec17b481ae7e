"""lmdistill evaluate: a finished network on its dev splits, or on benchmarks."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated

import typer

from lmdistill.cli.distill import Overrides
from lmdistill.cli.threads import Threads
from lmdistill.core.errors import ConfigError

Benchmark = Annotated[
    list[str] | None,
    typer.Option(
        help="Task of lm-evaluation-harness, task file or folder of them, instead of the dev splits."
    ),
]


def evaluate(
    target: Annotated[
        str,
        typer.Argument(
            help="A run, or a model folder or hub id (then set task and data.source, or texts.source)."
        ),
    ],
    set_: Overrides = None,
    benchmark: Benchmark = None,
    limit: Annotated[int | None, typer.Option(help="Examples of each benchmark; all unless given.")] = None,
    few_shot: Annotated[int | None, typer.Option(help="Solved examples before each question.")] = None,
    prompts: Annotated[
        Path | None, typer.Option(help="File of prompts that a language model shall go on from too.")
    ] = None,
    teacher: Annotated[
        bool, typer.Option(help="Put the teacher of a language model's run beside it.")
    ] = True,
    threads: Threads = None,
) -> None:
    """Print the task's metrics of a run's student, or of any model; with --benchmark, those of benchmarks."""
    _require_used({"--limit": limit, "--few-shot": few_shot}, set_ or [], asked=bool(benchmark))
    from lmdistill.cli import print_evaluation
    from lmdistill.commands.benchmark import run_benchmarks
    from lmdistill.commands.evaluate import evaluate as run_evaluation
    from lmdistill.commands.evaluate_language import evaluate_language, is_writer

    if benchmark:
        _require_none(prompts, "benchmarks are asked")
        print_evaluation.show_benchmarks(
            run_benchmarks(target, benchmark, limit=limit, few_shot=few_shot, with_teacher=teacher)
        )
        return
    if is_writer(target, set_ or []):
        found = evaluate_language(target, set_ or [], with_teacher=teacher, prompts=prompts)
        print_evaluation.show_language(found)
        return
    _require_none(prompts, f"{target} is no language model")
    print_evaluation.show_classifier(run_evaluation(target, set_ or []))


def _require_none(prompts: Path | None, why: str) -> None:
    """Refuse prompts that nobody would go on from."""
    if prompts is not None:
        raise ConfigError(f"--prompts {prompts} has no effect: {why}. Leave it out.")


def _require_used(about: Mapping[str, int | None], overrides: Sequence[str], *, asked: bool) -> None:
    """Refuse options that would have no effect."""
    if asked and overrides:
        raise ConfigError(f"--set {overrides[0]} has no effect on benchmarks. Leave it out.")
    for name, value in about.items():
        if value is not None and not asked:
            raise ConfigError(f"{name} {value} is about benchmarks. Add --benchmark, or leave it out.")
