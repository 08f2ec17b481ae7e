"""A teacher behind a server: questions to replies, with a cache, a budget, retries and several threads."""

import random
import threading
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field, replace
from itertools import islice

from lmdistill.core.errors import LmdistillError, RunError
from lmdistill.labelling.answer_cache import AnswerCache, Question
from lmdistill.labelling.api_client import ApiClient
from lmdistill.labelling.api_reply import Reply
from lmdistill.labelling.cost import Budget, BudgetReachedError, Usage, largest_usage
from lmdistill.labelling.label_probabilities import Source
from lmdistill.labelling.request_errors import UNFIT_TEXT, CallFailedError, Failure, backoff_s
from lmdistill.labelling.request_settings import Asking, questions_of
from lmdistill.labelling.server_errors import no_logprobs, stop_error

MOST_FAILURES = 5
"""Calls in a row that fail in spite of all retries, after which the command stops."""

PROBES = 3
"""Texts with which the command tries to find out whether the server gives log-probabilities."""


@dataclass(kw_only=True)
class Outcome:
    """What became of the questions that were sent."""

    unfit: dict[str, str] = field(default_factory=dict)
    """Prompt to the server's reason for not answering it."""

    failed: int = 0
    """Calls that failed in spite of all retries."""

    reason: str = ""
    """Why the last of them failed."""

    budget_reached: bool = False
    """Whether the budget ended the work."""

    in_a_row: int = 0
    """Calls that failed since the last one that succeeded."""


class _StoppedError(Exception):
    """The command is stopping; nothing is sent any more."""


class ApiTeacher:
    """Answers prompts, each at most once.

    Args:
        client: Of the server.
        cache: Where replies are kept.
        budget: What may be spent.
        asking: How to ask.
    """

    def __init__(self, client: ApiClient, cache: AnswerCache, budget: Budget, asking: Asking) -> None:
        self.client, self.cache, self.budget, self.asking = client, cache, budget, asking
        self._stop = threading.Event()

    def questions(self, prompt: str, source: Source) -> list[Question]:
        """The questions whose replies give the probabilities for a prompt: one, or one for each sample."""
        return questions_of(
            self.client.server.identity, self.client.server.model, self.asking, prompt, source
        )

    def source(self, prompts: Sequence[str]) -> Source:
        """Where probabilities come from; the server is asked about the first prompts if it is not known.

        Args:
            prompts: At least one.

        Raises:
            LmdistillError: Log-probabilities are required and there are none, or the server cannot be used.
            BudgetReachedError: The budget is below one call.
        """
        if self.asking.probabilities == "samples":
            return "samples"
        server = f"{self.client.server.identity} {self.client.server.model}"
        given = self.cache.gives_logprobs(server)
        is_required = self.asking.probabilities == "logprobs"
        if given is None or (is_required and not given):
            given = self._probe(prompts[:PROBES])
            self.cache.note_logprobs(server, given)
        if is_required and not given:
            raise no_logprobs(self.client.server)
        return "logprobs" if given else "samples"

    def _probe(self, prompts: Sequence[str]) -> bool:
        """Whether the server gives log-probabilities; its replies are kept, also as samples."""
        failure: Failure | None = None
        for prompt in prompts:
            (question,) = self.questions(prompt, "logprobs")
            try:
                reply = self.cache.get(question) or self.ask(question, is_first=True)
            except CallFailedError as error:
                failure = error.failure
                if failure.status in UNFIT_TEXT and "logprob" in failure.words.lower():
                    return False
                if failure.action != "reject":
                    raise stop_error(self.client, failure, is_first=True) from None
                continue
            if reply.top is not None:
                return True
            self.cache.keep(replace(question, logprobs=False), reply)
            if reply.text.strip() and not reply.refusal:
                return False
        if failure is not None:
            raise stop_error(self.client, failure, is_first=True)
        return False

    def ask(self, question: Question, *, is_first: bool = False) -> Reply:
        """Send a question until there is a reply, and keep it.

        Args:
            question: What to ask.
            is_first: Whether nothing was answered yet, so that a missing server is an error at once.

        Raises:
            CallFailedError: There is no reply after all tries, or another try is useless.
            BudgetReachedError: The call could exceed the budget.
        """
        server = self.client.server
        for attempt in range(server.retries + 1):
            try:
                return self._try(question)
            except CallFailedError as error:
                failure = error.failure
                is_last = attempt == server.retries or (is_first and failure.is_unreachable)
                if failure.action != "retry" or is_last:
                    raise
            wait_s = failure.wait_s
            if wait_s is None:
                wait_s = backoff_s(
                    attempt,
                    first_s=server.first_wait_s,
                    longest_s=server.longest_wait_s,
                    chance=random.random(),
                )
            if self._stop.wait(wait_s):
                raise _StoppedError
        raise AssertionError("the last try returns or raises")

    def _try(self, question: Question) -> Reply:
        """Send a question once; whatever happens, the budget and the account are settled."""
        if self._stop.is_set():
            raise _StoppedError
        reserved = largest_usage(question.prompt, question.max_new, self.budget.template_tokens)
        self.budget.reserve(reserved)
        used, number = reserved, None
        try:
            number = self.cache.open_call(reserved)
            reply = self.client.send(
                question.prompt,
                logprobs=question.logprobs,
                temperature=question.temperature,
                max_new=question.max_new,
            )
            used = _used(reply, reserved)
            self.cache.close_call(number, used, question, reply)
        except CallFailedError as error:
            used = reserved if error.failure.may_cost else Usage(calls=1)
            if number is not None:
                self.cache.close_call(number, used)
            raise
        finally:
            self.budget.settle(reserved, used)
        return reply

    def ask_all(self, questions: Iterable[Question], on_done: Callable[[], None]) -> Outcome:
        """Send questions, several at a time; replies go to the cache.

        Args:
            questions: Those that are not in the cache.
            on_done: Called after each reply.

        Raises:
            LmdistillError: The server cannot be used any more.
        """
        outcome, rest = Outcome(), iter(questions)
        for question in islice(rest, 1):  # alone, so that a mistake in the settings ends it at once
            self._note(self._ask_quietly(question, outcome, is_first=True), outcome, on_done, is_first=True)
        limit = self.client.server.concurrency
        waiting: set[Future[Failure | None]] = set()
        with ThreadPoolExecutor(limit) as pool:
            try:
                for question in rest:
                    if outcome.budget_reached:
                        break
                    waiting.add(pool.submit(self._ask_quietly, question, outcome))
                    if len(waiting) >= limit:
                        waiting = self._collect(waiting, outcome, on_done)
                while waiting:
                    waiting = self._collect(waiting, outcome, on_done)
            except BaseException:
                self._stop.set()
                raise
        return outcome

    def _ask_quietly(self, question: Question, outcome: Outcome, *, is_first: bool = False) -> Failure | None:
        """Send a question; the failure, if there is no reply."""
        try:
            self.ask(question, is_first=is_first)
        except CallFailedError as error:
            if error.failure.action == "reject":
                outcome.unfit[question.prompt] = error.failure.reason
            return error.failure
        except BudgetReachedError:
            outcome.budget_reached = True
        except _StoppedError:
            pass
        else:
            return None
        return Failure(action="reject", reason="not sent")

    def _collect(
        self, waiting: set[Future[Failure | None]], outcome: Outcome, on_done: Callable[[], None]
    ) -> set[Future[Failure | None]]:
        """Wait for one call or more, and count what became of them; those that are still under way."""
        done, rest = wait(waiting, return_when=FIRST_COMPLETED)
        for future in done:
            self._note(future.result(), outcome, on_done)
        return rest

    def _note(
        self,
        failure: Failure | None,
        outcome: Outcome,
        on_done: Callable[[], None],
        *,
        is_first: bool = False,
    ) -> None:
        """Count what became of a question; an error if nothing more should be sent."""
        if failure is None:
            outcome.in_a_row = 0
            on_done()
        elif failure.action == "stop" or (is_first and failure.is_unreachable):
            raise stop_error(self.client, failure, is_first=is_first)
        elif failure.action == "retry":
            outcome.failed += 1
            outcome.in_a_row += 1
            outcome.reason = failure.reason
            if outcome.in_a_row >= MOST_FAILURES:
                raise _given_up(self.client.server.shown, outcome)


def _used(reply: Reply, reserved: Usage) -> Usage:
    """What a call has used; what was reserved where the server does not say."""
    given = (reply.input_tokens, reply.output_tokens)
    return Usage(
        calls=1,
        input_tokens=reserved.input_tokens if given[0] is None else given[0],
        output_tokens=reserved.output_tokens if given[1] is None else given[1],
    )


def _given_up(url: str, outcome: Outcome) -> LmdistillError:
    """The error after several failures in a row."""
    return RunError(
        f"{outcome.in_a_row} calls in a row failed at {url}, in spite of retries; the last: "
        f"{outcome.reason}. Look at the server, or raise --timeout and --retries; the same command continues."
    )
