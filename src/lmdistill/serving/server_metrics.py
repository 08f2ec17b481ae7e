"""What a server counts and times, in the format of Prometheus."""

from collections.abc import Callable

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    generate_latest,
)

CONTENT_TYPE = CONTENT_TYPE_LATEST

SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Upper ends of the bins of times."""

SIZES = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0)
"""Upper ends of the bins of batch sizes."""


class ServerMetrics:
    """Counters, histograms and gauges of one server; their names begin with `lmdistill_`.

    Attributes:
        requests: Requests for predictions, by `status` of the reply.
        answered: Number of texts that were answered.
        left: Of these, texts that the student deferred.
        teacher_failures: Requests to the teacher without an answer that could be used.
        request_seconds: Time from the request to the reply, of requests for predictions.
        batch_texts: Texts of each batch that the graph read.
        audit_rows: Rows written to the audit file.
        audit_failures: Rows that could not be written.

    Args:
        queue: Gives the number of texts without an answer.
    """

    def __init__(self, queue: Callable[[], float]) -> None:
        self._registry = CollectorRegistry()
        self.answered = self.left = 0

        def counter(name: str, said: str, labels: tuple[str, ...] = ()) -> Counter:
            return Counter(f"lmdistill_{name}", said, labels, registry=self._registry)

        def histogram(name: str, said: str, ends: tuple[float, ...]) -> Histogram:
            return Histogram(f"lmdistill_{name}", said, buckets=ends, registry=self._registry)

        self.requests = counter("requests", "Requests for predictions.", ("status",))
        self._texts = counter("texts", "Texts that were answered.")
        self._deferred = counter("deferred_texts", "Texts that the student deferred.")
        self.teacher_failures = counter(
            "teacher_failures", "Requests to the teacher without a usable answer."
        )
        self.audit_rows = counter("audit_rows", "Rows written to the audit file.")
        self.audit_failures = counter("audit_failures", "Rows that could not be written to the audit file.")
        self.request_seconds = histogram("request_seconds", "Time from request to reply.", SECONDS)
        self.batch_texts = histogram("batch_texts", "Texts of each batch.", SIZES)
        Gauge("lmdistill_queue_texts", "Texts without an answer.", registry=self._registry).set_function(
            queue
        )

    def count(self, *, texts: int, deferred: int) -> None:
        """Count answered texts, and how many of them were deferred."""
        self.answered += texts
        self.left += deferred
        self._texts.inc(texts)
        self._deferred.inc(deferred)

    def page(self) -> bytes:
        """All of them, as Prometheus reads them."""
        return generate_latest(self._registry)
