"""Dynamic batching: texts of simultaneous requests are read by the graph together.

Texts wait in one queue. A worker takes the oldest ones: as many as a batch holds, or those that are there
once the oldest has waited long enough. While the graph computes, the next batch gathers.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from lmdistill.serving.predictor import ALONE, Predictor, Text

MOST_PADDING = 1.2
"""Padded tokens of a batch for each token of its texts, at most; otherwise it is computed in parts."""


class QueueFullError(Exception):
    """There is no room for the texts of a request; it can be sent again later."""


@dataclass(frozen=True, kw_only=True)
class _Waiting:
    """A text in the queue."""

    text: Text
    since: float
    logits: "asyncio.Future[np.ndarray]" = field(default_factory=asyncio.Future)


def groups_of_similar_length(lengths: Sequence[int], most_padding: float = MOST_PADDING) -> list[list[int]]:
    """Positions of texts in groups that are computed at once, from short to long.

    A group takes the next longer text as long as its padded tokens, its size times its longest text, are at
    most `most_padding` times the tokens of its texts.

    Args:
        lengths: Tokens of each text, >= 0.
        most_padding: Padded tokens for each token of the texts, >= 1.

    Examples:
        >>> groups_of_similar_length([4, 40, 5, 44])
        [[0, 2], [1, 3]]
    """
    groups: list[list[int]] = []
    tokens = 0
    for position in sorted(range(len(lengths)), key=lambda number: lengths[number]):
        length = lengths[position]
        if groups and length * (len(groups[-1]) + 1) <= most_padding * (tokens + length):
            groups[-1].append(position)
            tokens += length
        else:
            groups.append([position])
            tokens = length
    return groups


class Batcher:
    """A graph that answers the texts of simultaneous requests.

    It belongs to one event loop. Graphs of `ALONE` read one text at a time.

    Args:
        predictor: What answers.
        max_batch: Texts that the graph reads at once at most, >= 1.
        max_wait: Seconds that a text waits for others at most, >= 0.
        max_queue: Texts without logits at most, >= 1.
        on_batch: Told the number of texts of each batch.
    """

    def __init__(
        self,
        predictor: Predictor,
        *,
        max_batch: int,
        max_wait: float,
        max_queue: int,
        on_batch: Callable[[int], object] = lambda size: None,
    ) -> None:
        alone = predictor.graph in ALONE
        self.predictor, self.on_batch = predictor, on_batch
        self.max_batch, self.max_wait = (1, 0.0) if alone else (max_batch, max_wait)
        self.max_queue = max_queue
        self.unanswered = 0
        self._queue: deque[_Waiting] = deque()
        self._arrived = asyncio.Event()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="graph")
        self._worker: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to answer, in the running event loop."""
        self._worker = asyncio.get_running_loop().create_task(self._work())

    async def close(self) -> None:
        """Stop; what still waits is cancelled."""
        if self._worker is not None:
            self._worker.cancel()
            await asyncio.gather(self._worker, return_exceptions=True)
        while self._queue:
            self._queue.popleft().logits.cancel()
        self._thread.shutdown(wait=False, cancel_futures=True)

    async def logits(self, texts: Sequence[Text]) -> np.ndarray:
        """Logits of texts in their order, (n, v) in float32.

        Texts of one request are admitted together or not at all.

        Raises:
            QueueFullError: If there is no room for them.
            ModelError: If the graph fails for one of them.
        """
        if self.unanswered + len(texts) > self.max_queue:
            raise QueueFullError
        now = asyncio.get_running_loop().time()
        added = [_Waiting(text=text, since=now) for text in texts]
        self.unanswered += len(added)
        self._queue.extend(added)
        self._arrived.set()
        try:
            found = await asyncio.gather(*(one.logits for one in added), return_exceptions=True)
        finally:
            self.unanswered -= len(added)
        for one in found:
            if isinstance(one, BaseException):
                raise one
        return np.array(found, dtype=np.float32).reshape(len(added), self.predictor.num_classes)

    async def _work(self) -> None:
        """Answer batches until the task is cancelled."""
        while True:
            batch = await self._next_batch()
            if not batch:
                continue
            try:
                self.on_batch(len(batch))
                await self._answer(batch)
            except Exception as error:  # the worker must go on, whatever it is
                for one in batch:
                    if not one.logits.done():
                        one.logits.set_exception(error)
            finally:
                for one in batch:
                    one.logits.cancel()  # nothing, but where the worker was cancelled

    async def _next_batch(self) -> list[_Waiting]:
        """The oldest texts, without those whose request has been given up."""
        while not self._queue:
            await self._arrival()
        try:
            async with asyncio.timeout_at(self._queue[0].since + self.max_wait):
                while len(self._queue) < self.max_batch:
                    await self._arrival()
        except TimeoutError:
            pass
        size = min(len(self._queue), self.max_batch)
        taken = [self._queue.popleft() for _ in range(size)]
        return [one for one in taken if not one.logits.done()]

    async def _arrival(self) -> None:
        """Wait until a text arrives."""
        self._arrived.clear()
        await self._arrived.wait()

    async def _answer(self, batch: Sequence[_Waiting]) -> None:
        """Compute a batch in parts of similar length; each text gets its logits when its part is done."""
        try:
            rows = await self._in_thread(self.predictor.encoded, [one.text for one in batch])
        except Exception as error:
            await self._one_by_one(batch, error)
            return
        for group in groups_of_similar_length([len(row.ids) for row in rows]):
            chosen = [batch[number] for number in group]
            try:
                inputs = self.predictor.padded([rows[number] for number in group])
                logits = await self._in_thread(self.predictor.run, inputs)
            except Exception as error:
                await self._one_by_one(chosen, error)
                continue
            for one, values in zip(chosen, logits, strict=True):
                if not one.logits.done():
                    one.logits.set_result(values)

    async def _one_by_one(self, batch: Sequence[_Waiting], error: Exception) -> None:
        """After a failure, answer each text alone, so that only the one that causes it fails."""
        if len(batch) > 1:
            for one in batch:
                await self._answer([one])
        elif not batch[0].logits.done():
            batch[0].logits.set_exception(error)

    async def _in_thread(self, work: Callable[[Any], Any], given: object) -> Any:
        """What `work` makes of `given`, computed in the graph's thread while requests are read."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, work, given)
