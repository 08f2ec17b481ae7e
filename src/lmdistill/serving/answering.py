"""From the texts of a request to its answers: by the student, and by the teacher where it defers."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from lmdistill.serving.answers import KEY, Answer, Value, answers_of
from lmdistill.serving.audit_sample import AuditSample
from lmdistill.serving.batching import Batcher
from lmdistill.serving.predictor import Text
from lmdistill.serving.server_metrics import ServerMetrics
from lmdistill.serving.teacher_client import TeacherClient, TeacherError


@dataclass(frozen=True, kw_only=True)
class Answering:
    """A student with what its certificate, its teacher and its audit add."""

    batcher: Batcher
    """The student's graph."""

    threshold: float | None
    """Confidence of its certificate below which a text is deferred; None without a certificate."""

    teacher: TeacherClient | None
    """Who answers deferred texts; None leaves them to the student."""

    audit: AuditSample | None
    """Where a sample of the texts goes."""

    metrics: ServerMetrics
    """What is counted."""

    async def answers(self, texts: Sequence[Text]) -> list[dict[str, Any]]:
        """The answer to each text as JSON; a failure of the teacher leaves the student's.

        Raises:
            QueueFullError: If there is no room for the texts.
            ModelError: If the student's graph fails for one of them.
        """
        means = self.batcher.predictor.manifest.answers
        found = answers_of(means, await self.batcher.logits(texts), self.threshold)
        chosen = [number for number, answer in enumerate(found) if answer.deferred]
        values, failure = await self._teacher_values([texts[number] for number in chosen])
        theirs: list[Value | None] = [None] * len(texts)
        for number, value in zip(chosen, values, strict=True):
            theirs[number] = value
        self.metrics.count(texts=len(texts), deferred=len(chosen))
        if self.audit is not None:
            self.audit.offer(texts, found, theirs)
        key = KEY[means.kind]
        return [content(key, answer, value, failure) for answer, value in zip(found, theirs, strict=True)]

    async def close(self) -> None:
        """Write the rest of the audit, then stop."""
        if self.audit is not None:
            await self.audit.close(self.teacher.timeout if self.teacher else 0.0)
        if self.teacher is not None:
            self.teacher.close()
        await self.batcher.close()

    async def _teacher_values(self, texts: Sequence[Text]) -> tuple[Sequence[Value | None], str | None]:
        """The teacher's answers to deferred texts, and why there are none."""
        if self.teacher is None or not texts:
            return [None] * len(texts), None
        try:
            return await self.teacher.ask(texts), None
        except TeacherError as error:
            self.metrics.teacher_failures.inc()
            return [None] * len(texts), f"{error}."


def content(key: str, answer: Answer, theirs: Value | None, failure: str | None) -> dict[str, Any]:
    """An answer as JSON.

    Args:
        key: What the answer is called: `label`, `labels` or `score`.
        answer: The student's.
        theirs: The teacher's, which then stands in its place; the student's is in `student`.
        failure: Why a deferred text has no answer of the teacher, if one was asked.
    """
    own: dict[str, Any] = {key: answer.value}
    if answer.confidence is not None:
        own |= {"confidence": answer.confidence, "probabilities": dict(answer.probabilities)}
    if theirs is not None:
        return {key: theirs, "by": "teacher", "deferred": True, "student": own}
    told = {"teacher_error": failure} if failure is not None and answer.deferred else {}
    return {**own, "by": "student", "deferred": answer.deferred, **told}
