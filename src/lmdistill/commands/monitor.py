"""Comparison of texts that a student has answered in use with those that it was certified on."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float, Int, Shaped

from lmdistill.analysis.answer_slices import BIN_NAMES, bins, histograms, reference_counts
from lmdistill.analysis.drift import WEEK, Drift, find_drift
from lmdistill.commands.audit_checks import missing_answers_note, other_judge_note, other_model_note
from lmdistill.commands.dated_answers import ANSWERS, Columns, DatedAnswers, graph_in, read_dated_answers
from lmdistill.commands.predict_exported import exported_text_model
from lmdistill.commands.text_model import TextModel
from lmdistill.core.atomic_io import write_json
from lmdistill.core.errors import ConfigError, DataError, ModelError
from lmdistill.core.progress import progress
from lmdistill.report.audit_report import AuditReport, as_json
from lmdistill.serving.answer_classes import answer_class, answer_sets
from lmdistill.serving.certificate import Certificate
from lmdistill.serving.confidence import confidences, deferred
from lmdistill.serving.input_counts import input_counts
from lmdistill.serving.manifest import Manifest, read_manifest
from lmdistill.serving.predictor import Predictor, chosen_graph, load_predictor

log = logging.getLogger("lmdistill")

CHUNK = 1024
"""Texts that are encoded at a time."""


@dataclass(frozen=True, kw_only=True)
class Answered:
    """The student's answers to the texts of an audit, and how it reads them."""

    chosen: tuple[frozenset[int], ...]
    """Numbers of the labels of each answer."""

    confidence: Float[np.ndarray, " n"]
    """Confidence of each answer, in [0, 1]."""

    tokens: Int[np.ndarray, " n"]
    """Tokens of each text, special ones included, after truncation."""

    unknown: Bool[np.ndarray, " n"]
    """Whether the text has a piece that the vocabulary lacks."""


def monitor(
    folder: str | Path,
    source: Path,
    *,
    columns: Columns | None = None,
    graph: str | None = None,
    alpha: float = 0.05,
    out: Path | None = None,
    json: Path | None = None,
) -> AuditReport:
    """Compare texts that a student has answered in use with those that it was certified on.

    Args:
        folder: What `lmdistill export` wrote and `lmdistill certify` certified.
        source: A uniform sample of all texts that the student was asked, the deferred ones too, with dates
            and the judge's answers: CSV, TSV, JSON or Parquet, also gzip'd.
        columns: Columns of texts, answers and dates; the usual ones if None.
        graph: Name of the graph; the one that the file names, or else the folder's default, if None.
        alpha: Largest chance of any alarm if nothing has changed, in (0, 1).
        out: A page to write, a single HTML file without scripts; None writes none.
        json: The same numbers for other programs; None writes none.

    Returns:
        The tests, with their alarms.

    Raises:
        ConfigError: If a setting is out of its range, or there is no such graph.
        DataError: If the file cannot be used, with the location; or if its answers are not those of the
            folder, or are missing for too many texts.
        ModelError: If the folder cannot be read, or is not certified.
    """
    _require_settings(alpha, source, out, json)
    manifest = read_manifest(Path(folder))
    require_certified(manifest, folder)
    model = exported_text_model(folder, graph)
    name = certified_graph(manifest, folder, graph or _graph_of(source, model, manifest))
    certificate = manifest.certificates[name]
    rows = read_dated_answers(
        source,
        model,
        columns or Columns(),
        ANSWERS[certificate.against],
        separator=manifest.origin.data.get("label_separator"),
    )
    answered = answers_to(load_predictor(folder, graph=name), rows)
    notes = (
        other_judge_note(rows, certificate.against),
        other_model_note(rows, answered.chosen, manifest.answers.labels, f"{folder} ({name})"),
        missing_answers_note(rows, deferred(answered.confidence, certificate.threshold)),
    )
    drift, weeks = _drift(rows, answered, manifest.answers.labels, certificate, alpha)
    report = AuditReport(
        folder=str(folder),
        graph=name,
        certificate=certificate,
        audit=str(source),
        answer_column=rows.answer_column,
        rows=len(rows.texts),
        days=(min(rows.days).isoformat(), max(rows.days).isoformat()),
        drift=drift,
        answered_weeks=weeks,
        notes=tuple(filter(None, notes)),
    )
    for note in report.notes:
        log.warning("%s", note)
    _write(report, out, json)
    return report


def _write(report: AuditReport, out: Path | None, json: Path | None) -> None:
    """Write what is asked for."""
    if out is not None:
        from lmdistill.report.audit_page import write_audit_page

        write_audit_page(out, report)
    if json is not None:
        write_json(json, as_json(report))


def _require_settings(alpha: float, source: Path, *outputs: Path | None) -> None:
    """Check the level and the files to write."""
    if not 0 < alpha < 1:
        raise ConfigError(
            f"--alpha must be between 0 and 1, got {alpha:g}. 0.05 is a false alarm in 20 audits."
        )
    places = [source, *(one for one in outputs if one is not None)]
    if len({place.resolve() for place in places}) < len(places):
        named = ", ".join(map(str, places))
        raise ConfigError(f"the audit, --out and --json must be different files, got {named}. Choose others.")


def require_certified(manifest: Manifest, folder: str | Path) -> None:
    """Check that a folder has a certificate for some graph.

    Raises:
        ModelError: If it has none.
    """
    if manifest.answers.kind == "regression":
        raise ModelError(
            f"{folder} answers with a score, and what is compared is whether answers are the same. Use a "
            "model of classes or labels."
        )
    if not manifest.certificates:
        raise ModelError(
            f"{folder} is not certified, so there is nothing to compare with. {_certify(folder)}"
        )


def _certify(folder: str | Path) -> str:
    """What to do with a folder without a certificate."""
    return f"Certify it first: lmdistill certify {folder} DATA --agreement 0.98."


def _graph_of(source: Path, model: TextModel, manifest: Manifest) -> str | None:
    """The graph that a file says its rows were answered by; None if it does not say that."""
    graph = graph_in(source, model)
    if graph is not None and graph not in manifest.graphs:
        raise DataError(
            f"{source} was answered by the graph {graph!r}, and {model.source} has "
            f"{', '.join(manifest.graphs)}. Name the folder that answered, or a graph with --graph."
        )
    return graph


def certified_graph(manifest: Manifest, folder: str | Path, graph: str | None) -> str:
    """Name of the graph to ask, which has a certificate that can be compared with.

    Args:
        manifest: What the folder holds.
        folder: The folder, for messages.
        graph: Name of the graph; the folder's default if None.

    Raises:
        ConfigError: If there is no such graph, or its runtime is not installed.
        ModelError: If it has no certificate, or one in other bins.
    """
    name = chosen_graph(manifest, folder, graph)
    if name not in manifest.certificates:
        others = ", ".join(manifest.certificates)
        raise ModelError(
            f"{folder} has a certificate for {others}, and none for {name}. Name {others} with --graph, or "
            f"certify {name}."
        )
    counts = manifest.certificates[name].reference.histograms
    if {kind: len(bins) for kind, bins in counts.items()} != {
        k: len(names) for k, names in BIN_NAMES.items()
    }:
        raise ModelError(f"{folder} was certified by another version, in other bins. {_certify(folder)}")
    return name


def answers_to(predictor: Predictor, rows: DatedAnswers) -> Answered:
    """The student's answers to the texts of an audit.

    Raises:
        ModelError: If it gives no number for a text.
    """
    answers = predictor.manifest.answers
    chosen: list[frozenset[int]] = []
    parts = []
    with progress("monitor", len(rows.texts)) as shown:
        for start in range(0, len(rows.texts), CHUNK):
            first, *others = map(list, zip(*rows.texts[start : start + CHUNK], strict=True))
            second = others[0] if others else None
            logits = predictor.logits(first, second)
            wrong = np.flatnonzero(~np.isfinite(logits).all(axis=1))
            if len(wrong):
                raise ModelError(
                    f"{rows.locations[start + wrong[0]]}: {predictor.source} gives the logits "
                    f"{logits[wrong[0]].tolist()}, and no answer can be made of that. Use another model."
                )
            chosen += answer_sets(answers, logits)
            parts.append((confidences(answers, logits), *input_counts(predictor, first, second)))
            shown.add(len(first))
    confidence, tokens, unknown = (np.concatenate(part) for part in zip(*parts, strict=True))
    return Answered(chosen=tuple(chosen), confidence=confidence, tokens=tokens, unknown=unknown)


def _drift(
    rows: DatedAnswers, answered: Answered, labels: tuple[str, ...], certificate: Certificate, alpha: float
) -> tuple[Drift, Mapping[str, tuple[int, int]]]:
    """All tests of an audit, and the texts and agreed texts by week of those that are not deferred."""
    has_answer = np.array([one is not None for one in rows.answers])
    agreed = np.array([given == found for given, found in zip(rows.answers, answered.chosen, strict=True)])
    is_own = ~deferred(answered.confidence, certificate.threshold)
    classes = [answer_class(one, labels) for one in answered.chosen]
    slices, _ = reference_counts(
        agreed=agreed[has_answer],
        answered=is_own[has_answer],
        classes=[name for name, has in zip(classes, has_answer, strict=True) if has],
        confidence=answered.confidence[has_answer],
        tokens=answered.tokens[has_answer],
        unknown=answered.unknown[has_answer],
    )
    weeks = np.array(rows.weeks)
    drift = find_drift(
        {**slices, WEEK: _by_week(weeks[has_answer], agreed[has_answer])},
        histograms(bins(confidence=answered.confidence, tokens=answered.tokens, unknown=answered.unknown)),
        reference_slices=certificate.reference.slices,
        reference_bins=certificate.reference.histograms,
        promised=certificate.agreement,
        alpha=alpha,
    )
    shown = has_answer & is_own
    return drift, _by_week(weeks[shown], agreed[shown])


def _by_week(weeks: Shaped[np.ndarray, " n"], agreed: Bool[np.ndarray, " n"]) -> dict[str, tuple[int, int]]:
    """Texts and agreed texts of each week, in order."""
    return {
        str(week): (int((weeks == week).sum()), int(agreed[weeks == week].sum())) for week in np.unique(weeks)
    }
