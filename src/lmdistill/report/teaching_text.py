"""What pages and cards say of a teacher that is several models, or has a temperature."""

from collections.abc import Callable, Iterator
from pathlib import PurePath

from lmdistill.analysis.metric_format import metric_format
from lmdistill.analysis.number_format import millions, percent
from lmdistill.records.record import Record
from lmdistill.records.teaching_facts import Disagreement, PromptFacts, Temperature


def source_name(source: str) -> str:
    """A source without its folders, if it is an absolute path."""
    return PurePath(source).name if PurePath(source).is_absolute() else source


def teacher_name(record: Record, name_of: Callable[[str], str] = source_name) -> str:
    """The name of a teacher, or those of the models that teach together."""
    if record.teaching is None or len(record.teaching.models) == 1:
        prompted = record.teaching is not None and record.teaching.prompt is not None
        name = "" if record.teacher is None else name_of(record.teacher.source)
        return f"{name}, prompted" if prompted else name
    names = ", ".join(name_of(model.source) for model in record.teaching.models)
    return f"{len(record.teaching.models)} models: {names}"


def teaching_facts(record: Record) -> Iterator[tuple[str, str]]:
    """Title and text of what is recorded of the models that teach; nothing if one classifier does."""
    teaching = record.teaching
    if teaching is None:
        return
    split, metric = record.headline
    shown = metric_format(metric)
    for number, model in enumerate(teaching.models, 1):
        seed = "" if model.seed is None else f", fine-tuned with seed {model.seed}"
        score = shown.text(model.metrics.get(split, {}).get(metric))
        yield (
            f"teacher model {number}",
            f"{source_name(model.source)}, {millions(model.parameters)} parameters{seed}, "
            f"{split} {shown.title} {score}",
        )
    if len(teaching.models) > 1:
        yield "teacher models combined by", f"mean of {teaching.combine.replace('_', '-')}"
    for name, found in teaching.disagreement.items():
        yield f"teacher models disagree on {name}", _disagreement(found)
    if teaching.prompt is not None:
        yield "teacher's prompt", teaching.prompt.template
        yield "teacher's label words", _words(teaching.prompt)
    if teaching.temperature is not None:
        yield "teacher's temperature", _temperature(teaching.temperature)


def _disagreement(found: Disagreement) -> str:
    """How much the models differ on one split."""
    if found.divided is None:
        return f"by a standard deviation of {found.spread or 0:.4f}"
    return (
        f"on {percent(found.divided)} % of the texts; two of them on {percent(found.pairwise)} %; "
        f"Jensen-Shannon divergence {found.jensen_shannon or 0:.4f} nats"
    )


def _words(prompt: PromptFacts) -> str:
    """The label words, and how they were scored."""
    words = ", ".join(f"{label}: {word}" for label, word in prompt.words.items())
    calibrated = "calibrated" if prompt.calibrated else "not calibrated"
    return f"{words} ({calibrated}{', in a chat template' if prompt.chat_template else ''})"


def _temperature(fitted: Temperature) -> str:
    """The temperature, and what it was fitted on."""
    seen = ", which models that came fine-tuned may have seen" if fitted.may_be_seen else ""
    return (
        f"{fitted.value:.4g}, fitted on {fitted.rows:,} held-out training rows{seen} "
        f"({fitted.nll_before:.4f} nats before, {fitted.nll_after:.4f} after)"
    )
