"""lmdistill evaluate: a finished network on its dev splits, or on benchmarks."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

from lmdistill.analysis.metric_format import NONE, metric_format
from lmdistill.cli.distill import Overrides
from lmdistill.cli.print_tables import results
from lmdistill.cli.threads import Threads
from lmdistill.commands.benchmark import run_benchmarks
from lmdistill.commands.evaluate import Evaluated
from lmdistill.commands.evaluate import evaluate as run_evaluation
from lmdistill.commands.evaluate_language import EvaluatedTexts, evaluate_language, is_writer
from lmdistill.core.errors import ConfigError
from lmdistill.records.benchmarks import BenchmarkFacts

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
    if benchmark:
        _require_none(prompts, "benchmarks are asked")
        _show_benchmarks(
            run_benchmarks(target, benchmark, limit=limit, few_shot=few_shot, with_teacher=teacher)
        )
        return
    if is_writer(target, set_ or []):
        _show_language(evaluate_language(target, set_ or [], with_teacher=teacher, prompts=prompts))
        return
    _require_none(prompts, f"{target} is no language model")
    _show_classifier(run_evaluation(target, set_ or []))


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


def _show_classifier(splits: Sequence[Evaluated]) -> None:
    """Print the task's metrics on every dev split, beside those of a constant answer."""
    table = Table(show_edge=False)
    for title in ("split", "examples", "metric", "value", "constant answer"):
        table.add_column(title, justify="left" if title in {"split", "metric"} else "right")
    for found in splits:
        for metric, value in found.metrics.items():
            floor = found.majority.get(metric)
            table.add_row(
                found.split,
                str(found.examples),
                metric_format(metric).title,
                metric_format(metric).text(value),
                metric_format(metric).text(floor),
            )
        for name, value in found.calibration.items():
            table.add_row(found.split, str(found.examples), name.replace("_", " "), f"{value:.4f}", "–")
    results().print(table)


def _show_benchmarks(found: Mapping[str, Sequence[BenchmarkFacts]]) -> None:
    """Print a line for each task, metric and network, those of one task together."""
    table = Table(show_edge=False)
    for title in ("task", "metric", "shots", "network", "value", "standard error", "examples"):
        numeric = title in {"shots", "value", "standard error", "examples"}
        table.add_column(title, justify="right" if numeric else "left")
    lines = [(fact, name) for name, facts in found.items() for fact in facts]
    order = list(dict.fromkeys(fact.question for fact, _ in lines))
    for fact, name in sorted(lines, key=lambda line: order.index(line[0].question)):
        table.add_row(
            Text(fact.task),
            Text(fact.metric),
            NONE if fact.few_shot is None else str(fact.few_shot),
            Text(name),
            f"{fact.value:.4f}",
            NONE if fact.error is None else f"{fact.error:.4f}",
            NONE if fact.examples is None else str(fact.examples),
        )
    results().print(table)


def _show_language(found: EvaluatedTexts) -> None:
    """Print how well a language model predicts dev passages, and what its completions are like."""
    for what, count, metrics in (
        ("passages", found.passages, found.metrics),
        ("prompts", found.prompts, found.written),
    ):
        table = Table(show_edge=False)
        for title in (what, "metric", "value"):
            table.add_column(title, justify="left" if title == "metric" else "right")
        for metric, value in metrics.items():
            table.add_row(str(count), metric.replace("_", " "), f"{value:.4f}")
        if metrics:
            results().print(table)
