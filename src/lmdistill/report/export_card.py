"""README.md of an exported folder: what it holds, what was measured, how to ask it."""

from lmdistill.analysis.metric_format import NONE, MetricFormat, metric_format
from lmdistill.report.certificate_text import certificate_grid, promise_text
from lmdistill.report.grid import Grid, markdown
from lmdistill.report.markdown_text import code_block, front_matter, plain_line
from lmdistill.report.teaching_text import source_name
from lmdistill.serving.estimate import Estimate
from lmdistill.serving.manifest import Checks, Manifest, Measured

MB = 1e6

SHARE = MetricFormat(title="")
"""How shares are shown: in percent."""


def export_card(manifest: Manifest) -> str:
    """The README.md of an exported folder, a model card with the front matter of the model hub.

    It shows only the last part of absolute paths, so that it does not publish folders of this machine.

    Args:
        manifest: What the folder holds.
    """
    front = front_matter(
        {
            "library_name": "onnx" if "onnx" in manifest.graphs else "openvino",
            "pipeline_tag": "text-classification",
            "tags": ["lmdistill", *sorted({name.partition("-")[0] for name in manifest.graphs})],
        }
    )
    parts = [front, f"# {plain_line(source_name(manifest.origin.model))}, exported", _facts(manifest)]
    if manifest.checks is not None:
        table = markdown(measured_grid(manifest.checks))
        parts += ["## What was measured", table, advice(manifest.checks)]
    if manifest.certificates:
        table = markdown(certificate_grid(manifest.certificates))
        told = (f"- {promise_text(graph, one)}" for graph, one in manifest.certificates.items())
        parts += ["## What is promised", table, "\n".join(told)]
    use = code_block("lmdistill predict path/to/this/folder texts.csv")
    return "\n\n".join(part.strip() for part in [*parts, "## Use", use]) + "\n"


def measured_grid(checks: Checks) -> Grid:
    """A table of the measurements of the network and its graphs."""
    metrics = list(dict.fromkeys(name for one in checks.measured.values() for name in one.scores))
    has_teacher = any(one.teacher_agreement is not None for one in checks.measured.values())
    header = ["", "MB", "of it embeddings", *(metric_format(name).title for name in metrics)]
    header += ["calibration error, %"] if _has_errors(checks) else []
    header += ["same answer as torch, %", *(["as the teacher, %"] if has_teacher else [])]
    header += ["p50 ms", "p95 ms", "texts/s"] if _is_timed(checks) else []
    rows = [_row(name, one, checks, metrics, has_teacher) for name, one in checks.measured.items()]
    notes = ["In brackets: 95 % intervals over the texts; exact for answers, by bootstrap for the others."]
    if _is_timed(checks):
        notes.append(
            f"Times are from a text to its logits on {checks.processor}, {_threads(checks.threads)}, one "
            "text after the other; texts a second are for 32 at a time (onnx-int8 reads them alone)."
        )
    caption = f"{checks.texts:,} {checks.source}"
    return Grid(caption=caption, header=tuple(header), rows=tuple(rows), notes=tuple(notes), alarms=())


def _row(name: str, one: Measured, checks: Checks, metrics: list[str], has_teacher: bool) -> tuple[str, ...]:
    """The measurements of one network or graph."""
    cells = [name, f"{one.bytes / MB:.1f}", f"{one.embedding_bytes / MB:.1f}"]
    for metric in metrics:
        shown = metric_format(metric)
        cells.append(_with_interval(one.scores.get(metric), shown))
    if _has_errors(checks):
        cells.append(_with_interval(one.calibration_error, SHARE))
    cells.append(_with_interval(one.agreement, SHARE))
    if has_teacher:
        cells.append(_with_interval(one.teacher_agreement, SHARE))
    if _is_timed(checks):
        times = (one.p50_ms, one.p95_ms)
        cells += [NONE if value is None else f"{value:.1f}" for value in times]
        cells.append(NONE if one.texts_per_second is None else f"{one.texts_per_second:.0f}")
    return tuple(cells)


def _with_interval(found: Estimate | None, shown: MetricFormat) -> str:
    """A number with its interval."""
    if found is None:
        return NONE
    return f"{shown.text(found.value)} [{shown.text(found.low)}, {shown.text(found.high)}]"


def _has_errors(checks: Checks) -> bool:
    """Whether calibration errors are known."""
    return any(one.calibration_error is not None for one in checks.measured.values())


def _is_timed(checks: Checks) -> bool:
    """Whether answers were timed."""
    return checks.fastest is not None


def _facts(manifest: Manifest) -> str:
    """A list of what the folder holds."""
    reads, answers = manifest.reads, manifest.answers
    texts = "pairs of texts" if reads.pairs else "texts"
    lines = [
        f"Exported from {plain_line(source_name(manifest.origin.model))} by lmdistill {manifest.version}.",
        f"Reads {texts} of up to {reads.max_length} tokens; longer ones are truncated.",
        f"Graphs: {', '.join(f'`{path}` ({name})' for name, path in manifest.graphs.items())}.",
        f"Used unless another one is asked for: {manifest.default}.",
    ]
    if answers.labels:
        named = ", ".join(map(plain_line, answers.labels))
        several = " (any number of them for a text)" if answers.kind == "multilabel" else ""
        lines.append(f"Labels{several}, in the order of the outputs: {named}.")
    if answers.thresholds is not None:
        told = ", ".join(f"{limit:.3g}" for limit in answers.thresholds)
        lines.append(f"A label is predicted from these probabilities on: {told}.")
    return "\n".join(f"- {one}" for one in lines)


def advice(checks: Checks) -> str:
    """Which graph to take on the machine of the export."""
    if checks.fastest is None:
        return "Nothing was timed."
    best, network = (checks.measured[name].p50_ms or 0.0 for name in (checks.fastest, "torch"))
    return (
        f"On this processor {checks.fastest} is the fastest: {best:.1f} ms a text, and PyTorch "
        f"{network:.1f}. On another one, `lmdistill measure` times the graphs again."
    )


def _threads(count: int) -> str:
    """A number of threads in words."""
    return f"{count} thread{'s' * (count > 1)}"
