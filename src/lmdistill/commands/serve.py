"""Serves an exported classifier over HTTP, without torch."""

import logging
import os
import socket
from contextlib import ExitStack
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from lmdistill.core.errors import ConfigError, MissingExtraError
from lmdistill.core.file_lock import sole_writer
from lmdistill.serving.audit_file import AuditFile
from lmdistill.serving.batching import Batcher
from lmdistill.serving.listening import address_of, listen
from lmdistill.serving.predictor import Predictor, load_predictor
from lmdistill.serving.request_body import BodyLimits
from lmdistill.serving.server_settings import ServerSettings
from lmdistill.serving.teacher_client import LOCAL, TeacherClient

if TYPE_CHECKING:
    from lmdistill.serving.answering import Answering

NEEDED = {"fastapi": "fastapi", "uvicorn": "uvicorn", "prometheus_client": "prometheus-client"}
"""Module of the extra, and its package."""

GRACE = 30.0
"""Seconds that requests have to end after the signal, beside the time of the teacher."""

log = logging.getLogger("lmdistill")


@dataclass(frozen=True, kw_only=True)
class ServedTexts:
    """What a server has answered."""

    texts: int
    """Number of texts."""

    deferred: int
    """Of these, texts that the student deferred."""

    audited: int
    """Of these, texts that are in the audit file."""


def serve(folder: str | Path, settings: ServerSettings, *, graph: str | None = None) -> ServedTexts:
    """Serve an exported classifier until the process gets SIGTERM or SIGINT.

    Args:
        folder: What `lmdistill export` wrote.
        settings: Address, limits, teacher and audit.
        graph: Name of the graph; the folder's default if None.

    Returns:
        What was answered.

    Raises:
        MissingExtraError: If fastapi, uvicorn or prometheus-client is not installed.
        ConfigError: If the port is in use, the teacher is this server, there is no such graph, or no runtime
            for it.
        ModelError: If the folder cannot be read, or the graph fails for a first text.
        RunError: If another process writes the audit file.
        DataError: If the audit file holds other lines.
    """
    require_server()
    from lmdistill.serving.http_server import Served, application, run

    with ExitStack() as stack:
        listening = stack.enter_context(listen(settings.host, settings.port))
        _require_other(settings.teacher, listening)
        if settings.audit is not None:
            stack.enter_context(sole_writer(settings.audit, "--audit"))
        predictor = load_predictor(folder, graph=graph)
        _warm_up(predictor)
        file = None if settings.audit is None else AuditFile(settings.audit)
        if file is not None:
            stack.callback(file.close)
        answering = answering_of(predictor, settings, file)
        reads = predictor.manifest.reads
        limits = BodyLimits(
            max_texts=settings.max_texts, max_characters=settings.max_characters, pairs=reads.pairs
        )
        served = Served(answering=answering, limits=limits, facts=_facts(predictor, answering.threshold))
        _tell(folder, predictor, answering, settings)
        log.info("ready on %s: POST /predict, GET /health, GET /metrics", address_of(listening))
        run(application(served), listening, grace=GRACE + settings.teacher_timeout)
        return ServedTexts(
            texts=answering.metrics.answered,
            deferred=answering.metrics.left,
            audited=0 if file is None else file.rows,
        )


def require_server() -> None:
    """Check that the packages of the extra `serve` are installed.

    Raises:
        MissingExtraError: One is not.
    """
    missing = [package for module, package in NEEDED.items() if find_spec(module) is None]
    if missing:
        raise MissingExtraError(
            f'serve needs {", ".join(missing)}, which is not installed. Run: pip install "lmdistill[serve]"'
        )


def _require_other(teacher: str | None, listening: socket.socket) -> None:
    """Check that a server is not its own teacher, which would ask itself without end.

    Raises:
        ConfigError: It is.
    """
    parts = urlsplit(teacher or "")
    if parts.hostname in LOCAL and parts.port == listening.getsockname()[1]:
        raise ConfigError(f"--teacher {teacher} is the address of this server. Name that of another one.")


def answering_of(predictor: Predictor, settings: ServerSettings, file: AuditFile | None) -> "Answering":
    """What answers requests: the graph, its certificate, its teacher and its audit."""
    from lmdistill.serving.answering import Answering
    from lmdistill.serving.audit_sample import AuditSample
    from lmdistill.serving.server_metrics import ServerMetrics

    metrics = ServerMetrics(lambda: batcher.unanswered)
    batcher = Batcher(
        predictor,
        max_batch=settings.max_batch,
        max_wait=settings.max_wait,
        max_queue=settings.max_queue,
        on_batch=metrics.batch_texts.observe,
    )
    manifest = predictor.manifest
    teacher = None
    if settings.teacher is not None:
        teacher = TeacherClient(
            settings.teacher,
            answers=manifest.answers,
            timeout=settings.teacher_timeout,
            max_waiting=settings.max_queue,
        )
    audit = None
    if file is not None:
        audit = AuditSample(
            file=file,
            share=settings.audit_share,
            columns=manifest.reads.columns,
            graph=predictor.graph,
            teacher=teacher,
            metrics=metrics,
        )
    certificate = manifest.certificates.get(predictor.graph)
    threshold = None if certificate is None else certificate.threshold
    return Answering(batcher=batcher, threshold=threshold, teacher=teacher, audit=audit, metrics=metrics)


def _warm_up(predictor: Predictor) -> None:
    """Answer one text, so that the first client does not wait for the runtime, and a broken graph is seen."""
    predictor.logits(["a"], ["b"] if predictor.manifest.reads.pairs else None)


def _facts(predictor: Predictor, threshold: float | None) -> dict[str, object]:
    """What `GET /health` says of the model."""
    answers, reads = predictor.manifest.answers, predictor.manifest.reads
    return {
        "graph": predictor.graph,
        "kind": answers.kind,
        "labels": list(answers.labels),
        "pairs": reads.pairs,
        "threshold": threshold,
    }


def _tell(folder: str | Path, predictor: Predictor, answering: "Answering", settings: ServerSettings) -> None:
    """Log what is served, and what of the settings has no effect."""
    log.info("%s: the graph %s, process %d", folder, predictor.graph, os.getpid())
    if answering.threshold is not None:
        who = "the teacher" if answering.teacher else "nobody, and are only marked"
        log.info("texts with a confidence below %.4f are deferred to %s", answering.threshold, who)
    elif answering.teacher is not None:
        log.warning(
            "the graph %s has no certificate, so that no text is deferred to the teacher. "
            "Certify it, or leave --teacher out.",
            predictor.graph,
        )
    if answering.audit is not None:
        log.info("a sample of %g of the texts is written to %s", settings.audit_share, settings.audit)
