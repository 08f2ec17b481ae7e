"""Export a classifier as a folder that other software runs, after its answers were checked."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import cast

import numpy as np
import torch
from torch import Tensor

from lmdistill.commands.answer_speed import Speed, spread_by_length, time_answers
from lmdistill.commands.export_checks import (
    CheckTexts,
    Logits,
    agreement,
    quality,
    require_agreement,
    require_equal,
    require_same_tokens,
)
from lmdistill.commands.export_source import ExportSource, open_source
from lmdistill.commands.exported_files import PATHS, Export, graph_sizes, write_graphs, write_tokenizer
from lmdistill.commands.predict import network_answers
from lmdistill.commands.torch_answers import torch_answers
from lmdistill.core.atomic_io import atomic_folder
from lmdistill.core.cpu_threads import own_threads
from lmdistill.core.errors import ModelError
from lmdistill.core.file_lock import sole_writer
from lmdistill.core.progress import announce
from lmdistill.core.version import VERSION
from lmdistill.records.environment import processor_name
from lmdistill.records.text_hashes import write_text_hashes
from lmdistill.report.export_card import export_card
from lmdistill.serving.confidence import confidence_levels, confidences
from lmdistill.serving.estimate import Estimate
from lmdistill.serving.manifest import (
    Answers,
    Checks,
    Manifest,
    Measured,
    Reads,
    write_manifest,
)
from lmdistill.serving.predictor import Predictor, load_predictor

log = logging.getLogger("lmdistill")

TORCH = "torch"
"""Name of the network in the measurements."""


def export(
    target: str | Path,
    out: Path,
    settings: Export | None = None,
    *,
    calibration: Path | None = None,
    text: Sequence[str] = (),
    overrides: Sequence[str] = (),
) -> Manifest:
    """Write a classifier as graphs with its tokenizer, after their answers were checked.

    Float32 graphs must give the network's logits, and 8-bit graphs most of its answers, on the dev rows of
    the task, or on the texts of `calibration` for a model without a task.

    Args:
        target: A run folder; or a model folder or hub id, with `task=` and `data.source=` among the
            overrides, or with `calibration`.
        out: New folder; it appears whole, or not at all.
        settings: Formats and checks; the defaults if None.
        calibration: File of texts like those that will be asked, from which OpenVINO takes the ranges of its
            8-bit numbers; the training texts if None.
        text: Columns of its text or pair; inferred when empty.
        overrides: `a.b=value` for task and data, to check on other data than the run's.

    Returns:
        What the folder holds, and what was measured.

    Raises:
        ConfigError: If there are no texts to check it on, or packages are missing.
        ModelError: If `out` exists, the graph of the family cannot be written, its answers differ from the
            network's, or an 8-bit graph agrees with it too seldom.
    """
    chosen = Export() if settings is None else settings
    with sole_writer(out):
        if out.exists():
            raise ModelError(f"{out} exists. Choose another --out, or remove it.")
        source = open_source(target, overrides, calibration, text)
        with atomic_folder(out) as part:
            return _write(source, part, chosen)


def _write(source: ExportSource, part: Path, settings: Export) -> Manifest:
    """Fill the folder, and check and time each graph."""
    network = source.network
    network.model.config.save_pretrained(part)
    write_tokenizer(source, part)
    if settings.text_hashes:
        write_text_hashes(part, source.hashes)
    inputs, products = write_graphs(source, part, settings)
    manifest = graph_manifest(source, inputs, settings.graphs)
    write_manifest(manifest, part)
    predictors = {name: load_predictor(part, graph=name) for name in manifest.graphs}
    measured = _measured(source, part, predictors, products, settings.min_agreement)
    speeds = _speeds(source, predictors, settings.timed_texts)
    for name, speed in speeds.items():
        measured[name] = replace(measured[name], **vars(speed))
    fastest = min(manifest.graphs, key=lambda name: speeds[name].p50_ms) if speeds else None
    _tell_slow(measured)
    checks = Checks(
        texts=len(source.texts.first),
        source=source.texts.source,
        threads=own_threads() or torch.get_num_threads(),
        processor=processor_name(),
        measured=measured,
        fastest=fastest,
    )
    manifest = replace(manifest, checks=checks, default=fastest or manifest.default)
    (part / "README.md").write_text(export_card(manifest), encoding="utf-8")
    write_manifest(manifest, part)
    return manifest


def graph_manifest(source: ExportSource, inputs: tuple[str, ...], graphs: Mapping[str, str]) -> Manifest:
    """What the folder holds, before it is checked; the last graph is the default until it is timed."""
    network = source.network
    return Manifest(
        version=VERSION,
        answers=source.answers,
        reads=Reads(
            pairs=source.texts.second is not None,
            max_length=source.length,
            padding=int(network.tokenizer.pad_token_id),
            inputs=inputs,
            columns=source.columns,
        ),
        graphs=graphs,
        default=list(graphs)[-1],
        origin=source.origin,
    )


def _measured(
    source: ExportSource,
    part: Path,
    predictors: Mapping[str, Predictor],
    products: Mapping[str, int],
    least: float,
) -> dict[str, Measured]:
    """Checks of the network and of every graph by name; each graph is refused that answers otherwise."""
    texts, network = source.texts, source.network
    announce("answering the texts")
    expected = network_answers(network, source.length)(texts.first, texts.second)
    require_same_tokens(next(iter(predictors.values())), network, texts, source.length)
    logits = {TORCH: expected}
    for name, predictor in predictors.items():
        announce(f"checking {name}")
        logits[name] = predictor.logits(texts.first, texts.second)
        if name in products:
            same = agreement(expected, logits[name], source.answers)
            require_agreement(name, same, len(expected), least)
        else:
            require_equal(predictor, texts, logits[name], expected)
    teacher = source.teacher_logits()
    pieces, width = cast(Tensor, network.model.get_input_embeddings().weight).shape
    sizes = {TORCH: (4 * sum(one.numel() for one in network.parameters()), 4 * pieces * width)}
    sizes |= {name: graph_sizes(part / PATHS[name], pieces) for name in predictors}
    return {
        name: replace(
            _one(texts, found, None if name == TORCH else expected, teacher, source.answers, sizes[name]),
            integer_products=products.get(name),
        )
        for name, found in logits.items()
    }


def _one(
    texts: CheckTexts,
    logits: Logits,
    expected: Logits | None,
    teacher: Logits | None,
    answers: Answers,
    sizes: tuple[int, int],
) -> Measured:
    """What was measured of one network or graph."""
    scores, error = quality(texts, logits, answers.thresholds)
    same: Estimate | None = None if expected is None else agreement(expected, logits, answers)
    return Measured(
        bytes=sizes[0],
        embedding_bytes=sizes[1],
        difference=0.0 if expected is None else float(np.abs(logits - expected).max()),
        agreement=same,
        teacher_agreement=None if teacher is None else agreement(teacher, logits, answers),
        scores=scores,
        calibration_error=error,
        confidences=()
        if answers.kind == "regression"
        else confidence_levels(confidences(answers, logits.astype(np.float64))),
    )


def _speeds(source: ExportSource, predictors: Mapping[str, Predictor], most: int) -> dict[str, Speed]:
    """Speed of the network and of every graph on texts of all lengths; {} if nothing is to be timed."""
    if most == 0:
        return {}
    some = next(iter(predictors.values()))
    lengths = [len(one.ids) for one in some.encode(source.texts.first, source.texts.second)]
    first, second = source.texts.chosen(spread_by_length(lengths, most))
    ways = {TORCH: torch_answers(source.network, source.length)}
    ways |= {name: one.logits for name, one in predictors.items()}
    announce("timing")
    return time_answers(ways, first, second)


def _tell_slow(measured: Mapping[str, Measured]) -> None:
    """Say so where 8 bits are slower than 32, as on processors without instructions for them."""
    for name, one in measured.items():
        plain = measured.get(name.removesuffix("-int8"))
        if name.endswith("-int8") and plain is not None and one.p50_ms is not None:
            assert plain.p50_ms is not None
            if one.p50_ms > plain.p50_ms:
                log.warning(
                    "%s takes %.1f ms a text here and float32 %.1f: this processor (%s) does not gain from 8 "
                    "bits at these lengths.",
                    name,
                    one.p50_ms,
                    plain.p50_ms,
                    processor_name(),
                )
