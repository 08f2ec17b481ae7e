"""Certification of an exported graph: from which confidence on it agrees with its teacher or its labels."""

import logging
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float

from lmdistill.analysis.agreement_bound import (
    Promise,
    Tested,
    texts_at_rate,
    thresholds_tested,
)
from lmdistill.analysis.answer_slices import reference_counts
from lmdistill.commands.certification_texts import CertificationTexts, JudgedFile, certification_texts
from lmdistill.core.atomic_io import write_text
from lmdistill.core.checksums import first_changed
from lmdistill.core.errors import ConfigError, DataError, ModelError
from lmdistill.core.file_lock import sole_writer
from lmdistill.core.progress import announce
from lmdistill.data.files.text import require_file
from lmdistill.labelling.audit import share_of
from lmdistill.metrics.multi_label import predicted_labels
from lmdistill.report.export_card import export_card
from lmdistill.serving.answer_classes import answer_class, answer_sets
from lmdistill.serving.certificate import Certificate, Reference
from lmdistill.serving.confidence import confidences
from lmdistill.serving.estimate import Estimate
from lmdistill.serving.input_counts import input_counts
from lmdistill.serving.manifest import (
    Answers,
    Manifest,
    is_exported,
    read_manifest,
    require_unchanged,
    write_manifest,
)
from lmdistill.serving.predictor import Predictor, chosen_graph, load_predictor

log = logging.getLogger("lmdistill")

CARD = "README.md"
"""Card of the folder, which people may edit."""

TRIED = np.arange(0.995, 0.5, -0.005)
"""Lower promises that are tried after one was not kept."""


def certify(
    folder: str | Path, file: JudgedFile, promise: Promise, *, graph: str | None = None
) -> tuple[str, Certificate]:
    """Find the lowest threshold of confidence at which a graph keeps a promise, and store it in its folder.

    See `analysis.agreement_bound` for the method. What is certified is the file that is served: an 8-bit
    graph answers some texts otherwise than its network.

    Args:
        folder: What `lmdistill export` wrote.
        file: The certification texts and their judge.
        promise: What is to hold of the texts that the graph answers itself.
        graph: Name of the graph; the folder's default if None.

    Returns:
        Name of the graph, and its certificate.

    Raises:
        ConfigError: `folder` is no exported folder, or the graph cannot be asked.
        DataError: The file cannot be used, has too few texts, or no threshold keeps the promise; nothing is
            written.
        ModelError: The folder is older, was changed, or answers with a score.
        MismatchError: The teacher has other labels.
        RunError: Another command writes the folder.
    """
    place = Path(folder)
    _require_exported(place)
    require_file(file.path)
    with sole_writer(place):
        manifest = read_manifest(place)
        name = chosen_graph(manifest, place, graph)
        grid = _grid(manifest, place, name)
        require_unchanged(manifest, place, *(one for one in manifest.checksums if one != CARD))
        texts = certification_texts(place, manifest, name, file, promise)
        found = _certificate(load_predictor(place, graph=name), texts, grid, file, promise)
        _write(place, manifest, replace(manifest, certificates={**manifest.certificates, name: found}))
    return name, found


def _require_exported(folder: Path) -> None:
    """Check that a folder is an exported one."""
    if not is_exported(folder):
        raise ConfigError(
            f"{folder} is no exported folder, and what is certified is the file that is served. Export it "
            f"first: lmdistill export {folder} --out FOLDER."
        )


def _grid(manifest: Manifest, folder: Path, graph: str) -> tuple[float, ...]:
    """The thresholds to test, from strict to lax; they come from texts of the export."""
    if manifest.answers.kind == "regression":
        raise ModelError(
            f"{folder} answers with a score, which has no confidence. Certify a model of classes or labels."
        )
    measured = {} if manifest.checks is None else manifest.checks.measured
    if graph not in measured or not measured[graph].confidences:
        raise ModelError(
            f"{folder} has no confidences of {graph} (lmdistill {manifest.version} wrote it), which the "
            "thresholds come from. Export the model again."
        )
    return (*measured[graph].confidences, 0.0)


def _certificate(
    predictor: Predictor, texts: CertificationTexts, grid: Sequence[float], file: JudgedFile, promise: Promise
) -> Certificate:
    """Answer the texts and test the thresholds."""
    answers = predictor.manifest.answers
    announce("answering the texts")
    logits = predictor.logits(texts.first, texts.second).astype(np.float64)
    if not np.isfinite(logits).all():
        raise ModelError(f"{predictor.source} gives logits that are no numbers. Export another model.")
    confidence, agreed = confidences(answers, logits), agreements(answers, logits, texts)
    tested = thresholds_tested(grid, confidence, agreed, promise)
    if tested.last is None:
        raise DataError(_not_kept(tested, grid, confidence, agreed, promise))
    threshold, hits = tested.thresholds[tested.last], int(tested.answered[tested.last])
    coverage = share_of(hits, len(agreed))
    return Certificate(
        threshold=threshold,
        agreement=promise.agreement,
        confidence=promise.confidence,
        against=file.against,
        texts=len(agreed),
        answered=hits,
        agreed=int(tested.agreed[tested.last]),
        coverage=Estimate(value=coverage.value, low=coverage.low, high=coverage.high),
        source=file.path.name,
        unseen=texts.unseen,
        made=datetime.now(UTC).date().isoformat(),
        reference=_reference(predictor, texts, logits, agreed, confidence >= threshold),
    )


def agreements(
    answers: Answers, logits: Float[np.ndarray, "n v"], texts: CertificationTexts
) -> Bool[np.ndarray, " n"]:
    """Whether student and judge answer each text alike; with several labels, with exactly the same ones."""
    if answers.kind == "classification":
        agreed = logits.argmax(axis=1) == texts.judge
    else:
        agreed = (predicted_labels(logits, answers.thresholds) == texts.judge).all(axis=1)
    if texts.may_be_own and agreed.all():
        log.warning(
            "the column predicted has the student's answer to every text. Check that the teacher wrote it, "
            "and not the student."
        )
    return np.asarray(agreed)


def _not_kept(
    tested: Tested,
    grid: Sequence[float],
    confidence: Float[np.ndarray, " n"],
    agreed: Bool[np.ndarray, " n"],
    promise: Promise,
) -> str:
    """What is wrong where the first threshold fails, and what would help."""
    answered, alike = int(tested.answered[tested.start]), int(tested.agreed[tested.start])
    more = texts_at_rate(alike, answered, promise) if answered else None
    rate = "more texts would not help" if more is None else f"at this rate {more} would be enough"
    for lower in TRIED[promise.agreement > TRIED].tolist():
        weaker = replace(promise, agreement=lower)
        if thresholds_tested(grid, confidence, agreed, weaker).last is not None:
            rate = f"{rate}, and --agreement {lower:.3g} passes"
            break
    return (
        f"a promise of {promise.agreement:g} with confidence {promise.confidence:g} cannot be made: at the "
        f"first threshold that is tested, {tested.thresholds[tested.start]:.4g}, {alike} of {answered} "
        f"answered texts agree; {rate}. Nothing was written."
    )


def _reference(
    predictor: Predictor,
    texts: CertificationTexts,
    logits: Float[np.ndarray, "n v"],
    agreed: Bool[np.ndarray, " n"],
    answered: Bool[np.ndarray, " n"],
) -> Reference:
    """The certification texts in numbers."""
    answers = predictor.manifest.answers
    tokens, unknown = input_counts(predictor, texts.first, texts.second)
    slices, histograms = reference_counts(
        agreed=agreed,
        answered=answered,
        classes=[answer_class(one, answers.labels) for one in answer_sets(answers, logits)],
        confidence=confidences(answers, logits),
        tokens=tokens,
        unknown=unknown,
    )
    return Reference(slices=slices, histograms=histograms)


def _write(folder: Path, old: Manifest, new: Manifest) -> None:
    """Write the manifest, and the card unless somebody has edited it."""
    if first_changed(folder, {CARD: old.checksums.get(CARD, "")}) is None:
        write_text(folder / CARD, export_card(new))
    else:
        log.warning("%s was edited, so it is not told of the certificate.", folder / CARD)
    write_manifest(new, folder)
