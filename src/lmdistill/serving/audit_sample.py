"""Chooses the texts of an audit at random, and asks the teacher about those that were not deferred."""

import asyncio
import logging
import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from lmdistill.serving.answers import Answer, Value
from lmdistill.serving.audit_file import FIELDS, AuditFile
from lmdistill.serving.predictor import Text
from lmdistill.serving.server_metrics import ServerMetrics
from lmdistill.serving.teacher_client import TeacherClient, TeacherError

AT_ONCE = 2
"""Audited texts about which the teacher is asked at the same time, so that deferred ones come first."""

MOST_WAITING = 1000
"""Audited texts that wait for the teacher at most; further ones are written without its answer."""

log = logging.getLogger("lmdistill")


@dataclass(frozen=True, kw_only=True)
class AuditSample:
    """Adds each text to a file with the same probability, whatever its answer is."""

    file: AuditFile
    """Where the rows go."""

    share: float
    """Probability of each text, in (0, 1]."""

    columns: tuple[str, ...]
    """Keys of the text or of the texts of a pair; where they do not fit, `text`, or `first` and `second`."""

    graph: str
    """Name of the graph that answers."""

    teacher: TeacherClient | None
    """Whom to ask about the texts that were not deferred."""

    metrics: ServerMetrics
    """Where rows are counted."""

    chance: random.Random = field(default_factory=random.Random)
    """What chooses the texts; by default seeded by the operating system."""

    _tasks: "set[asyncio.Task[None]]" = field(default_factory=set)
    _free: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(AT_ONCE))

    def offer(self, texts: Sequence[Text], answers: Sequence[Answer], theirs: Sequence[Value | None]) -> None:
        """Choose among answered texts; rows are written now, or when the teacher has answered.

        Args:
            texts: The texts or pairs of a request.
            answers: The student's answer to each.
            theirs: The teacher's answer to each deferred one; None for the others, and where it failed.
        """
        now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        for text, answer, value in zip(texts, answers, theirs, strict=True):
            if self.chance.random() >= self.share:
                continue
            row = self._row(now, text, answer)
            if self.teacher is None or answer.deferred or len(self._tasks) >= MOST_WAITING:
                self._write(row, value)
                continue
            task = asyncio.get_running_loop().create_task(self._asked(self.teacher, text, row))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def close(self, seconds: float) -> None:
        """Wait for the teacher for some seconds, write every row that is left, and close the file."""
        if self._tasks:
            _, late = await asyncio.wait(self._tasks, timeout=seconds)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)
        self.file.close()

    async def _asked(self, teacher: TeacherClient, text: Text, row: dict[str, Any]) -> None:
        """Write a row with the teacher's answer, or without one where it fails."""
        value: Value | None = None
        try:
            async with self._free:
                (value,) = await teacher.ask([text])
        except TeacherError:
            self.metrics.teacher_failures.inc()
        finally:
            self._write(row, value)

    def _row(self, now: str, text: Text, answer: Answer) -> dict[str, Any]:
        """A row of the file but for the teacher's answer."""
        parts = (text,) if isinstance(text, str) else text
        usual = ("text",) if len(parts) == 1 else ("first", "second")
        fits = len(self.columns) == len(parts) and not {*self.columns} & {*FIELDS}
        names = self.columns if fits else usual
        return {
            "time": now,
            **dict(zip(names, parts, strict=True)),
            "predicted": answer.value,
            "confidence": answer.confidence,
            "defer": answer.deferred,
            "graph": self.graph,
        }

    def _write(self, row: dict[str, Any], value: Value | None) -> None:
        """Write a row; a failure is counted and logged, and no request fails with it."""
        try:
            self.file.write({**row, "teacher": value})
        except OSError as error:
            self.metrics.audit_failures.inc()
            log.warning(
                "%s: a row of the audit could not be written: %s", self.file.path, error.strerror or error
            )
        else:
            self.metrics.audit_rows.inc()
