"""README.md files: the model card of a student, and what is in a run folder."""

import json
import shlex
from pathlib import PurePath
from types import MappingProxyType
from typing import Any

from lmdistill.analysis.metric_format import metric_format
from lmdistill.analysis.number_format import millions
from lmdistill.records.record import Record
from lmdistill.report.grid import Grid, markdown
from lmdistill.report.tables.assistants import route_text

HUB_METRICS = MappingProxyType(
    {"matthews": "matthews_correlation", "pearson": "pearsonr", "spearman": "spearmanr"}
)
"""What the model hub calls a metric, where it differs from our name."""


def _line(text: str) -> str:
    """`text` on one line, without anything that Markdown or HTML would take for its own."""
    plain = " ".join(text.split())
    return "".join(f"\\{letter}" if letter in "\\`*_[]<>|#" else letter for letter in plain)


def _code(text: str) -> str:
    """A code block that holds `text`, whatever backticks are in it."""
    fence = "```"
    while fence in text:
        fence += "`"
    return f"{fence}console\n{text}\n{fence}"


def _place(source: str) -> str:
    """A source without the folders of the machine that it was on."""
    return PurePath(source).name if PurePath(source).is_absolute() else source


def _front_matter(fields: dict[str, Any]) -> str:
    """YAML between dashes; each value is written as JSON, which YAML contains."""
    lines = [f"{name}: {json.dumps(value, ensure_ascii=False)}" for name, value in fields.items()]
    return "\n".join(["---", *lines, "---"])


def _scores(record: Record) -> str:
    """Student, teacher and constant answer, side by side."""
    names = [(split, metric) for split, scores in record.metrics.items() for metric in scores]
    sides = {
        "this model": record.metrics,
        "teacher": record.teacher_metrics or {},
        "constant answer": record.majority,
    }
    known = {side: scores for side, scores in sides.items() if scores}
    rows = tuple(
        (
            f"{split} {metric_format(metric).title}",
            *(metric_format(metric).text(scores.get(split, {}).get(metric)) for scores in known.values()),
        )
        for split, metric in names
    )
    made = ", synthetic data" if record.task.synthetic else ""
    notes = ["One seed, no spread."]
    if record.selected == "dev-best":
        notes.append("Dev-selected: the dev set also chose the weights, so its score is optimistic.")
    return markdown(
        Grid(
            caption=f"{record.task.name}{made}, seed {record.seed}",
            header=("", *known),
            rows=rows,
            notes=tuple(notes),
            alarms=record.alarms,
        )
    )


def _facts(record: Record) -> str:
    """What the network is and how it came to be."""
    student, teacher, task = record.student, record.teacher, record.task
    lines = [
        f"Task: {_line(task.name)} ({task.kind}), data from {_line(_place(task.source))}.",
        f"Made with: {_line(str(record.method.get('name', record.name)))}, "
        f"{record.training.steps:,} steps, seed {record.seed}, lmdistill {record.lmdistill}.",
        f"Size: {student.layers} layers, {millions(student.parameters.total)} parameters.",
    ]
    if teacher is not None:
        lines.append(
            f"Teacher: {_line(_place(teacher.source))}, {teacher.layers} layers, "
            f"{millions(teacher.parameters.total)} parameters."
        )
    lines += _schedule(record)
    if task.labels:
        lines.append(f"Labels: {', '.join(_line(label) for label in task.labels)}.")
    return "\n".join(f"- {line}" for line in lines)


def _schedule(record: Record) -> list[str]:
    """How the student was pruned and through whom it learned, where there was more than a teacher."""
    facts = record.schedule
    if facts is None:
        return []
    found = [f"Schedule: {_line(facts.name)}. {_line(route_text(facts))}"]
    pruning = record.recipe.get("student", {}).get("pruning") if facts.keep < 1 else None
    if isinstance(pruning, dict) and {"score", "data", "scope"} <= pruning.keys():
        rows = "" if pruning["score"] == "magnitude" else f" on {pruning['data']} rows"
        ranked = "all layers together" if pruning["scope"] == "global" else "each layer alone"
        found.append(_line(f"Pruning: by {pruning['score']}{rows}, {ranked}."))
    return found


def _title(record: Record) -> str:
    """A heading."""
    return f"# {_line(record.name)} on {_line(record.task.name)}"


def _load(auto: str, *, carried: bool) -> str:
    """What to type to load the model; two ways where its class is in the folder."""
    plain = _python(f"from transformers import {auto}, AutoTokenizer", auto)
    if not carried:
        return plain
    trusted = _python(f"from transformers import {auto}, AutoTokenizer", auto, ", trust_remote_code=True")
    known = _python(f"import lmdistill\nfrom transformers import {auto}, AutoTokenizer", auto)
    return "\n\n".join(
        [
            "No class of transformers has this shape, so the folder carries one, in `modeling_narrow.py`. "
            "With transformers alone, read that file, then trust it:",
            trusted,
            "With lmdistill installed no code of this folder runs:",
            known,
        ]
    )


def _python(imports: str, auto: str, trust: str = "") -> str:
    """A code block that loads model and tokenizer."""
    return (
        f"```python\n{imports}\n\n"
        'folder = "path/to/this/folder"\n'
        f"model = {auto}.from_pretrained(folder{trust})\n"
        f"tokenizer = AutoTokenizer.from_pretrained(folder{trust})\n"
        "```"
    )


def model_card(record: Record, *, carried: bool = False) -> str:
    """The README.md of `student/`, in the form that model hubs read.

    Folders of this machine are not named: of an absolute path only the last part is shown.

    Args:
        record: Of the run.
        carried: Whether the class of the model lies beside its weights, which takes trust or an import.
    """
    metrics = record.task.metrics
    writes = record.task.kind == "language"
    front = _front_matter(
        {
            "library_name": "transformers",
            "pipeline_tag": "text-generation" if writes else "text-classification",
            "tags": ["lmdistill", "knowledge-distillation", str(record.method.get("name", record.name))],
            "metrics": [HUB_METRICS.get(metric, metric) for metric in metrics],
        }
    )
    auto = f"AutoModelFor{'CausalLM' if writes else 'SequenceClassification'}"
    load = _load(auto, carried=carried)
    parts = [front, _title(record), _facts(record), "## Scores", _scores(record), "## How to load it", load]
    limits = "It was judged on the data above and on nothing else; other texts may be answered worse."
    return "\n\n".join(part.strip() for part in [*parts, "## Limits", limits]) + "\n"


def run_readme(record: Record, folder: str, *, carried: bool = False) -> str:
    """The README.md of a run folder: scores, what lies where, how to use and to repeat it.

    Args:
        record: Of the run.
        folder: The folder as the user named it.
        carried: Whether the class of the model lies beside its weights.
    """
    stock, own = "any program that reads Hugging Face folders loads it", "its README says how to load it"
    writes = record.task.kind == "language"
    files = {
        "student/": f"the model; {own if carried else stock}",
        "report.html": "scores, costs and curves, one page",
        "record.json": "every number of the report, with versions, seeds and fingerprints",
        "recipe.yaml": "the resolved recipe",
        "history.jsonl": "the loss, step by step",
        "predictions.jsonl": "the answer to each dev example",
        "disagreements.jsonl": "texts on which student and teacher disagree most",
    }
    listing = "\n".join(f"- `{name}`: {what}" for name, what in files.items())
    place = shlex.quote(folder)
    first = f"generate {place} prompts.jsonl" if writes else f"predict {place} texts.csv"
    more = [] if writes else [f"lmdistill measure {place}"]
    use = _code("\n".join([f"lmdistill {first}", *more, f"lmdistill report {place}"]))
    parts = [_title(record), _facts(record), "## Scores", _scores(record), "## Files", listing]
    return (
        "\n\n".join(part.strip() for part in [*parts, "## Use", use, "## Repeat", _code(record.command)])
        + "\n"
    )
