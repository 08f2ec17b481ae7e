"""A certified export that is written by hand, and audits of it with planted drift."""

import json
from dataclasses import replace
from datetime import date, timedelta

import numpy as np

from lmdistill.analysis.answer_slices import reference_counts
from lmdistill.serving.answer_classes import answer_class, answer_sets
from lmdistill.serving.certificate import Reference
from lmdistill.serving.confidence import confidences
from lmdistill.serving.input_counts import input_counts
from lmdistill.serving.manifest import read_manifest, write_manifest
from lmdistill.serving.predictor import load_predictor
from tests.serving.tiny_export import WORDS, certificate, write_export

THRESHOLD, PROMISED, WRONG = 0.6, 0.9, 0.04
"""Threshold and promise of the certificate, and the share of answers in which the judge differs."""

FIRST = date(2026, 11, 2)
"""A Monday: day 0 of the audits, in week 45."""


def texts(generator, number, *, words=(1, 30), unknown=0.02):
    """Texts of some words each, a few with one that the vocabulary lacks."""
    found = []
    for size in generator.integers(*words, number):
        drawn = [f"w{one}" for one in generator.integers(0, WORDS, size)]
        found.append(" ".join([*drawn, "zzz"] if generator.random() < unknown else drawn))
    return found


def student(folder, read):
    """The student's answers as sets, with confidences, tokens and unknown pieces."""
    predictor = load_predictor(folder, threads=1)
    first, second = (list(read), None) if isinstance(read[0], str) else map(list, zip(*read, strict=True))
    logits = predictor.logits(first, second)
    answers = predictor.manifest.answers
    return (
        answer_sets(answers, logits),
        confidences(answers, logits),
        *input_counts(predictor, first, second),
    )


def judged(generator, chosen, size, wrong=WRONG):
    """A judge who differs from the student in a share of texts, or by a mask of texts."""
    differs = wrong if isinstance(wrong, np.ndarray) else generator.random(len(chosen)) < wrong
    return [
        frozenset({(next(iter(one), 0) + 1) % size}) if other else one
        for one, other in zip(chosen, differs, strict=True)
    ]


def certified(folder, read, *, seed=0, against="teacher", **named):
    """An export with a certificate that rests on these texts; other arguments are those of `manifest_of`."""
    write_export(folder, **named)
    manifest = read_manifest(folder)
    chosen, confidence, tokens, unknown = student(folder, read)
    given = judged(np.random.default_rng(seed), chosen, len(manifest.answers.labels))
    slices, histograms = reference_counts(
        agreed=np.array([one == other for one, other in zip(chosen, given, strict=True)]),
        answered=confidence >= THRESHOLD,
        classes=[answer_class(one, manifest.answers.labels) for one in chosen],
        confidence=confidence,
        tokens=tokens,
        unknown=unknown,
    )
    promise = replace(
        certificate(THRESHOLD),
        agreement=PROMISED,
        against=against,
        texts=len(read),
        reference=Reference(slices=slices, histograms=histograms),
    )
    write_manifest(replace(manifest, certificates={manifest.default: promise}), folder)
    return folder


def rows(folder, read, *, seed=1, wrong=WRONG, days=28):
    """Rows of an audit as a server writes them: texts on one day after the other, with the teacher's answer.

    Args:
        folder: The export.
        read: The texts.
        seed: Of the judge.
        wrong: Share of texts, or the mask of texts, in which the judge differs.
        days: Days over which the texts are spread.
    """
    manifest = read_manifest(folder)
    labels = manifest.answers.labels
    chosen, confidence, *_ = student(folder, read)
    given = judged(np.random.default_rng(seed), chosen, len(labels), wrong)
    several = manifest.answers.kind == "multilabel"

    def name(one):
        return [labels[number] for number in sorted(one)] if several else answer_class(one, labels)

    return [
        {
            "time": f"{FIRST + timedelta(days=number * days // len(read))}T12:00:00Z",
            **dict(zip(manifest.reads.columns, [text] if isinstance(text, str) else text, strict=True)),
            "predicted": name(mine),
            "confidence": round(float(sure), 6),
            "defer": bool(sure < THRESHOLD),
            "teacher": name(theirs),
            "graph": manifest.default,
        }
        for number, (text, mine, theirs, sure) in enumerate(zip(read, chosen, given, confidence, strict=True))
    ]


def write_rows(path, written):
    """Rows as JSON lines."""
    path.write_text("".join(json.dumps(row) + "\n" for row in written))
    return path
