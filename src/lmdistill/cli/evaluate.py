"""lmdistill evaluate: metrics of a trained model on its dev splits or on benchmarks."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated

import typer

from lmdistill.cli.distill import Overrides
from lmdistill.cli.graph_option import GraphName, asks_exported
from lmdistill.cli.path_arguments import run_or_model
from lmdistill.cli.threads import Threads
from lmdistill.core.errors import ConfigError

Benchmark = Annotated[
    list[str] | None,
    typer.Option(
        help="Benchmark to evaluate on instead of the dev splits: a task of lm-evaluation-harness, a task "
        "file or a folder of task files. Can be repeated."
    ),
]


def evaluate(
    target: Annotated[
        str,
        typer.Argument(
            help="Run folder; or model folder or hub id, which needs --set task=... and data.source=..., or "
            "texts.source=... for a language model.",
            callback=run_or_model,
        ),
    ],
    set_: Overrides = None,
    benchmark: Benchmark = None,
    limit: Annotated[int | None, typer.Option(help="Number of examples per benchmark. Default: all.")] = None,
    few_shot: Annotated[
        int | None,
        typer.Option(help="Number of solved examples before each question. Default: that of the task."),
    ] = None,
    prompts: Annotated[
        Path | None,
        typer.Option(help="File of prompts that a language model completes, in addition to the dev splits."),
    ] = None,
    teacher: Annotated[
        bool, typer.Option(help="Also evaluate the teacher, for runs of language models.")
    ] = True,
    graph: GraphName = None,
    threads: Threads = None,
) -> None:
    """Print metrics of a run's student or of any model, on dev splits or with --benchmark on benchmarks."""
    _require_used({"--limit": limit, "--few-shot": few_shot}, set_ or [], has_benchmark=bool(benchmark))
    if asks_exported(target, graph):
        _evaluate_exported(target, set_ or [], graph, has_benchmark=bool(benchmark), prompts=prompts)
        return
    from lmdistill.cli import print_evaluation
    from lmdistill.commands.benchmark import run_benchmarks
    from lmdistill.commands.evaluate import evaluate as run_evaluation
    from lmdistill.commands.evaluate_language import evaluate_language, is_writer

    if benchmark:
        _require_none(prompts, "on benchmarks")
        print_evaluation.show_benchmarks(
            run_benchmarks(target, benchmark, limit=limit, few_shot=few_shot, with_teacher=teacher)
        )
        return
    if is_writer(target, set_ or []):
        evaluated = evaluate_language(target, set_ or [], with_teacher=teacher, prompts=prompts)
        from lmdistill.cli.print_language_evaluation import show_language

        show_language(evaluated)
        return
    _require_none(prompts, f"on {target}, which is not a language model")
    print_evaluation.show_classifier(run_evaluation(target, set_ or []))


def _evaluate_exported(
    folder: str, overrides: Sequence[str], graph: str | None, *, has_benchmark: bool, prompts: Path | None
) -> None:
    """Evaluate an exported folder, without torch."""
    _require_none(prompts, f"on {folder}, which is not a language model")
    if has_benchmark:
        raise ConfigError(
            f"{folder} is an exported model, which benchmarks cannot ask. Leave out --benchmark."
        )
    from lmdistill.cli.print_evaluation import show_classifier
    from lmdistill.commands.evaluate_exported import evaluate_exported

    show_classifier(evaluate_exported(folder, overrides, graph=graph))


def _require_none(prompts: Path | None, where: str) -> None:
    """Check that there is no --prompts, which would have no effect `where` the evaluation takes place."""
    if prompts is not None:
        raise ConfigError(f"--prompts {prompts} has no effect {where}. Leave it out.")


def _require_used(
    benchmark_options: Mapping[str, int | None], overrides: Sequence[str], *, has_benchmark: bool
) -> None:
    """Check that no option is set that would have no effect."""
    if has_benchmark and overrides:
        raise ConfigError(f"--set {overrides[0]} has no effect on benchmarks. Leave it out.")
    for name, value in benchmark_options.items():
        if value is not None and not has_benchmark:
            raise ConfigError(f"{name} {value} has no effect without --benchmark. Add it, or omit {name}.")
