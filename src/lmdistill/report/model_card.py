"""README.md files: the model card of a student, and the overview of a run folder."""

import shlex
from types import MappingProxyType

from lmdistill.analysis.metric_format import metric_format
from lmdistill.analysis.number_format import layers_text, millions
from lmdistill.records.record import Record
from lmdistill.report.grid import Grid, markdown
from lmdistill.report.markdown_text import code_block, front_matter, plain_line
from lmdistill.report.tables.assistants import route_text
from lmdistill.report.tables.classes import CLASS_TITLES, class_line
from lmdistill.report.teaching_text import source_name, teacher_name
from lmdistill.report.vocabulary_text import vocabulary_text

HUB_METRICS = MappingProxyType(
    {
        "macro_f1": "f1",
        "matthews": "matthews_correlation",
        "micro_f1": "f1",
        "pearson": "pearsonr",
        "spearman": "spearmanr",
        "subset_accuracy": "exact_match",
    }
)
"""Names of metrics on the model hub that differ from ours."""


def _scores(record: Record) -> str:
    """A table of the scores of student, teacher and constant prediction."""
    names = [(split, metric) for split, scores in record.metrics.items() for metric in scores]
    sides = {
        "this model": record.metrics,
        "teacher": record.teacher_metrics or {},
        "constant prediction": record.majority,
    }
    known = {side: scores for side, scores in sides.items() if scores}
    rows = tuple(
        (
            f"{split} {metric_format(metric).title}",
            *(metric_format(metric).text(scores.get(split, {}).get(metric)) for scores in known.values()),
        )
        for split, metric in names
    )
    synthetic = ", synthetic data" if record.task.synthetic else ""
    notes = ["One seed, so no standard deviation."]
    if record.selected == "dev-best":
        notes.append("Dev-selected: the dev set also selected the weights, so this score is optimistic.")
    if record.thresholds is not None and record.thresholds.split is not None:
        notes.append(
            f"The threshold of each label was chosen on {record.thresholds.split} too, so these scores are "
            "optimistic."
        )
    return markdown(
        Grid(
            caption=f"{record.task.name}{synthetic}, seed {record.seed}",
            header=("", *known),
            rows=rows,
            notes=tuple(notes),
            alarms=record.alarms,
        )
    )


def _classes(record: Record) -> list[str]:
    """Heading and table of the scores by class on the headline split; [] if there are none."""
    split = record.headline[0]
    facts = record.classes.get(split, ())
    if not facts:
        return []
    grid = Grid(
        caption=f"Precision, recall and F1 by class on {split}",
        header=("", *CLASS_TITLES),
        rows=tuple(class_line(one.label, [one]) for one in facts),
        notes=(),
        alarms=(),
    )
    return ["## Classes", markdown(grid)]


def _facts(record: Record) -> str:
    """A list of facts about the task, the training, the student and the teacher."""
    student, teacher, task = record.student, record.teacher, record.task
    lines = [
        f"Task: {plain_line(task.name)} ({task.kind}), data from {plain_line(source_name(task.source))}.",
        f"Trained with: {plain_line(str(record.method.get('name', record.name)))}, "
        f"{record.training.steps:,} {'iterations' if record.linear else 'steps'}, seed {record.seed}, "
        f"lmdistill {record.lmdistill}.",
        f"Size: {layers_text(student.layers)}, {millions(student.parameters.total)} parameters.",
    ]
    if teacher is not None:
        lines.append(
            f"Teacher: {plain_line(teacher_name(record))}, {layers_text(teacher.layers)}, "
            f"{millions(teacher.parameters.total)} parameters."
        )
    if record.answers is not None:
        lines.append(
            f"Teacher: {record.answers.kind} in {plain_line(source_name(record.answers.source))}, for "
            f"{record.answers.answered:,} training texts."
        )
    lines += [*_terms(record), *_origin(record), *map(plain_line, vocabulary_text(record))]
    if record.class_weights:
        weights = ", ".join(
            f"{plain_line(name)} {weight:.3g}" for name, weight in record.class_weights.items()
        )
        lines.append(f"Weights of the classes in the loss: {weights}.")
    lines += _schedule(record)
    if task.labels:
        several = "any number of them for a text" if task.multi_label else ""
        names = ", ".join(plain_line(label) for label in task.labels)
        lines.append(f"Labels{f' ({several})' if several else ''}: {names}.")
    if task.multi_label:
        lines.append(_thresholds(record))
    return "\n".join(f"- {line}" for line in lines)


def _thresholds(record: Record) -> str:
    """A sentence on the probabilities from which on labels are predicted."""
    chosen = None if record.thresholds is None else record.thresholds.student
    if chosen is None:
        return "A label is predicted if its probability (a sigmoid of its logit) is 0.5 or more."
    told = ", ".join(
        f"{plain_line(label)} {t:.3g}" for label, t in zip(record.task.labels, chosen, strict=True)
    )
    return (
        "A label is predicted if its probability (a sigmoid of its logit) is at or above its threshold "
        f"(`label_thresholds` in config.json): {told}."
    )


def _terms(record: Record) -> list[str]:
    """Licence of the teacher and use of its answers; empty without a teacher."""
    terms = record.teacher_terms
    if terms is None:
        return []
    licence, use = (plain_line(text) if text else "not stated" for text in (terms.licence, terms.answers_use))
    names = ", ".join(plain_line(source_name(name)) for name in terms.teacher.split(", "))
    return [f"Licence of the teacher {names}: {licence}. What its answers may be used for: {use}."]


def _origin(record: Record) -> list[str]:
    """The trained classifier that the student began as; empty if it began otherwise."""
    origin = record.origin
    if origin is None:
        return []
    head = "its head was kept"
    if sorted(origin.labels) != sorted(record.task.labels):
        classes = f"for {', '.join(map(plain_line, origin.labels))}" if origin.labels else "for a score"
        head = f"its head {classes} was replaced by a new one"
    run = "" if origin.task is None else f", trained on {plain_line(origin.task)} with seed {origin.seed}"
    return [f"Began as: {plain_line(source_name(origin.source))}{run}; {head}."]


def _schedule(record: Record) -> list[str]:
    """The schedule and the pruning of the student; empty without a schedule."""
    facts = record.schedule
    if facts is None:
        return []
    lines = [f"Schedule: {plain_line(facts.name)}. {plain_line(route_text(facts))}"]
    pruning = record.recipe.get("student", {}).get("pruning") if facts.keep < 1 else None
    if isinstance(pruning, dict) and {"score", "data", "scope"} <= pruning.keys():
        rows = "" if pruning["score"] == "magnitude" else f" on {pruning['data']} rows"
        scope = "ranked over all layers" if pruning["scope"] == "global" else "ranked within each layer"
        lines.append(plain_line(f"Pruning: by {pruning['score']}{rows}, {scope}."))
    return lines


def _title(record: Record) -> str:
    """The heading: names of the run and the task."""
    return f"# {plain_line(record.name)} on {plain_line(record.task.name)}"


def _load(auto: str, *, carried: bool) -> str:
    """Code that loads the model; two versions if the folder contains the model's class."""
    plain = _python(f"from transformers import {auto}, AutoTokenizer", auto)
    if not carried:
        return plain
    trusted = _python(f"from transformers import {auto}, AutoTokenizer", auto, ", trust_remote_code=True")
    known = _python(f"import lmdistill\nfrom transformers import {auto}, AutoTokenizer", auto)
    return "\n\n".join(
        [
            "No class of transformers supports this architecture, so the folder contains one, in "
            "`modeling_narrow.py`. With transformers alone, review that file, then allow it to run:",
            trusted,
            "With lmdistill installed, no code of this folder runs:",
            known,
        ]
    )


def _python(imports: str, auto: str, trust: str = "") -> str:
    """A code block that loads the model and its tokenizer."""
    return (
        f"```python\n{imports}\n\n"
        'folder = "path/to/this/folder"\n'
        f"model = {auto}.from_pretrained(folder{trust})\n"
        f"tokenizer = AutoTokenizer.from_pretrained(folder{trust})\n"
        "```"
    )


def _load_linear(record: Record) -> str:
    """Code that loads a linear model and applies it."""
    texts = '["a first text"], ["a second text"]' if len(record.task.columns) == 2 else '["a text"]'
    call = f"probabilities({texts})" if record.task.labels else f"logits({texts})"
    return (
        "The folder holds no code: `tfidf.json` has the vocabulary and `model.safetensors` the weights.\n\n"
        "```python\nimport lmdistill as ld\n\n"
        'model = ld.load_linear("path/to/this/folder")\n'
        f"print(model.labels, model.{call})\n```"
    )


def model_card(record: Record, *, carried: bool = False) -> str:
    """The README.md of `student/`, a model card with the front matter of the model hub.

    It shows only the last part of absolute paths, so that it does not publish folders of this machine.

    Args:
        record: Record of the run.
        carried: Whether the folder contains the model's class, which needs `trust_remote_code` or
            `import lmdistill`.
    """
    metrics = record.task.metrics
    writes = record.task.kind == "language"
    front = front_matter(
        {
            "library_name": "transformers" if record.linear is None else "lmdistill",
            "pipeline_tag": "text-generation" if writes else "text-classification",
            "tags": ["lmdistill", "knowledge-distillation", str(record.method.get("name", record.name))],
            "metrics": list(dict.fromkeys(HUB_METRICS.get(metric, metric) for metric in metrics)),
        }
    )
    auto = f"AutoModelFor{'CausalLM' if writes else 'SequenceClassification'}"
    load = _load(auto, carried=carried) if record.linear is None else _load_linear(record)
    scores = ["## Scores", _scores(record), *_classes(record)]
    parts = [front, _title(record), _facts(record), *scores, "## How to load it", load]
    limits = "It was evaluated only on the data above; the quality on other texts may be lower."
    return "\n\n".join(part.strip() for part in [*parts, "## Limits", limits]) + "\n"


def run_readme(record: Record, folder: str, *, carried: bool = False) -> str:
    """The README.md of a run folder: scores, files, and commands to use and to repeat the run.

    Args:
        record: Record of the run.
        folder: Path of the folder as the user gave it.
        carried: Whether `student/` contains the model's class.
    """
    stock, own = "any program that reads Hugging Face folders loads it", "its README says how to load it"
    writes = record.task.kind == "language"
    files = {
        "student/": f"the model; {own if carried or record.linear is not None else stock}",
        "report.html": "scores, costs and curves on one page",
        "record.json": "all numbers of the report, with versions, seeds and fingerprints",
        "recipe.yaml": "the resolved recipe",
        "history.jsonl": "the loss at each step",
        "predictions.jsonl": "the prediction for each dev example",
        "disagreements.jsonl": "texts on which student and teacher disagree most",
    }
    if record.linear is not None:
        del files["history.jsonl"]  # it is trained to its minimum at once
    listing = "\n".join(f"- `{name}`: {content}" for name, content in files.items())
    path = shlex.quote(folder)
    apply = f"lmdistill generate {path} prompts.jsonl" if writes else f"lmdistill predict {path} texts.csv"
    measure = [] if writes else [f"lmdistill measure {path}"]
    use = code_block("\n".join([apply, *measure, f"lmdistill report {path}"]))
    again = code_block(record.command.replace("\n", "\\u000a"))  # else a record could add commands of its own
    parts = [_title(record), _facts(record), "## Scores", _scores(record), "## Files", listing]
    return "\n\n".join(part.strip() for part in [*parts, "## Use", use, "## Repeat", again]) + "\n"
