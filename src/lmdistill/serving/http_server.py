"""The HTTP server of an exported classifier: `POST /predict`, `GET /health` and `GET /metrics`."""

import asyncio
import json
import logging
import signal
import socket
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from types import FrameType
from typing import Any

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, Response
from starlette.requests import ClientDisconnect
from uvicorn import Config, Server

from lmdistill.core.errors import LmdistillError
from lmdistill.core.version import VERSION
from lmdistill.serving import request_body as read
from lmdistill.serving.answering import Answering
from lmdistill.serving.batching import QueueFullError
from lmdistill.serving.request_body import BodyLimits, RefusedError, read_texts
from lmdistill.serving.server_metrics import CONTENT_TYPE

BODY_SECONDS = 30.0
"""Time in which the body of a request must have come."""

RETRY_SECONDS = 1
"""When a client that was refused because of the load may try again."""

PATHS = "There are POST /predict, GET /health and GET /metrics."

log = logging.getLogger("lmdistill")


@dataclass(frozen=True, kw_only=True)
class Served:
    """What a server answers with, and what it takes."""

    answering: Answering
    """The queue of texts, the graph, and the teacher behind it."""

    limits: BodyLimits
    """What a request may hold."""

    facts: dict[str, Any]
    """What `GET /health` says of the model."""


def application(served: Served) -> FastAPI:
    """The server as an ASGI application; its pages of documentation, which load scripts, are off."""

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        served.answering.batcher.start()
        try:
            yield
        finally:
            await served.answering.close()

    app = FastAPI(
        title="lmdistill serve", version=VERSION, docs_url=None, redoc_url=None, lifespan=lifespan,
        exception_handlers={read.NOT_FOUND: _no_path, read.WRONG_METHOD: _no_method},
    )  # fmt: skip

    @app.post("/predict", openapi_extra=SCHEMA)
    async def predict(request: Request) -> Response:
        """Answers to texts, in their order."""
        began = time.perf_counter()
        reply = await _predicted(served, request)
        metrics = served.answering.metrics
        metrics.requests.labels(str(reply.status_code)).inc()
        metrics.request_seconds.observe(time.perf_counter() - began)
        return reply

    @app.get("/health")
    async def health() -> Response:
        """That the server answers, and what it serves."""
        waiting = served.answering.batcher.unanswered
        return JSONResponse({"status": "ok", **served.facts, "texts_waiting": waiting})

    @app.get("/metrics")
    async def metrics() -> Response:
        """Counters and times, as Prometheus reads them."""
        return Response(served.answering.metrics.page(), media_type=CONTENT_TYPE)

    return app


async def _predicted(served: Served, request: Request) -> Response:
    """The reply to a request for predictions; no failure leaves it without one."""
    try:
        texts = read_texts(await _body(request), served.limits)
        found = await served.answering.answers(texts)
    except RefusedError as error:
        return _error(error.status, error.sentence)
    except ClientDisconnect:  # nobody reads the reply
        return _error(read.BAD_REQUEST, "the body has not come in full. Send it again.")
    except QueueFullError:
        most = served.answering.batcher.max_queue
        return _error(
            read.BUSY,
            f"the queue takes {most} texts and has no room for this request. Send it again later.",
            {"Retry-After": str(RETRY_SECONDS)},
        )
    except LmdistillError as error:
        log.error("a request failed: %s", error)
        return _error(
            read.FAILED, "the model failed for a text of this request. The server's log has the reason."
        )
    except Exception as error:  # its message may have a text in it
        log.error("a request failed with %s (a bug in lmdistill).", type(error).__name__)
        return _error(read.FAILED, "the server failed. Its log has the reason.")
    return JSONResponse({"answers": found, "graph": served.answering.batcher.predictor.graph})


async def _body(request: Request) -> bytes:
    """The body of a request.

    Raises:
        RefusedError: If it is not said to be JSON (415), too large (413), or does not come in time (408).
    """
    parts, size = [], 0
    try:
        async with asyncio.timeout(BODY_SECONDS):
            async for part in request.stream():
                size += len(part)
                if size > read.MOST_BYTES:
                    break  # uvicorn reads the rest and drops it
                parts.append(part)
    except TimeoutError:
        raise RefusedError(
            read.TIMEOUT, f"the body has not come in {BODY_SECONDS:g} s. Send it again."
        ) from None
    if size > read.MOST_BYTES:
        raise RefusedError(
            read.TOO_LARGE,
            f"the body has more than {read.MOST_BYTES} bytes, which is the most. Send the texts in parts.",
        )
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        raise RefusedError(
            read.WRONG_TYPE,
            f"the body is sent as {json.dumps(kind[:60]) if kind else 'nothing'}. Send it as JSON, with the "
            "header Content-Type: application/json.",
        )
    return b"".join(parts)


def _error(status: int, sentence: str, headers: dict[str, str] | None = None) -> Response:
    """A reply that says what is wrong."""
    return JSONResponse({"error": sentence}, status, headers)


async def _no_path(request: Request, error: Exception) -> Response:
    """The reply to an unknown path."""
    return _error(read.NOT_FOUND, f"there is no such path. {PATHS}")


async def _no_method(request: Request, error: Exception) -> Response:
    """The reply to a method that a path does not take."""
    return _error(
        read.WRONG_METHOD,
        f"the path takes no such request. {PATHS}",
        dict(getattr(error, "headers", None) or {}),
    )


def run(app: FastAPI, listening: socket.socket, *, grace: float) -> None:
    """Serve until the process gets SIGTERM or SIGINT; requests that have come are answered before it returns.

    Args:
        app: What is served.
        listening: A socket that listens.
        grace: Seconds that requests have to end after the signal.
    """
    server = Server(
        Config(
            app, log_config=None, log_level="error", access_log=False, timeout_graceful_shutdown=int(grace)
        )
    )

    def stop(number: int, frame: FrameType | None) -> None:
        server.should_exit = True

    # The server raises the signal again when it has ended, so that the handler before it decides how the
    # process ends: here, it has done what was asked, and goes on.
    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        server.run(sockets=[listening])
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


_TEXT = {
    "oneOf": [
        {"type": "string"},
        {"type": "array", "items": {"type": "string"}, "minItems": 2, "maxItems": 2},
    ]
}
SCHEMA: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {
                "schema": {
                    "type": "object",
                    "properties": {"texts": {"type": "array", "items": _TEXT}, "text": _TEXT},
                    "additionalProperties": False,
                }
            }
        },
    }
}
"""The body of a request for predictions, for /openapi.json."""
