"""A session with a teacher: it is opened for one output, asked about prompts, and read from the cache."""

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from lmdistill.core.errors import ConfigError
from lmdistill.core.file_lock import sole_writer
from lmdistill.core.progress import progress
from lmdistill.labelling.answer_cache import AnswerCache
from lmdistill.labelling.answers_file import require_new_output
from lmdistill.labelling.api_client import ApiClient
from lmdistill.labelling.api_teacher import ApiTeacher, Outcome
from lmdistill.labelling.cost import Budget, BudgetReachedError, largest_usage
from lmdistill.labelling.label_probabilities import LabelDistribution, Source
from lmdistill.labelling.labelling_job import Labelling, account_of
from lmdistill.labelling.reply_reading import Rejection, read_replies

log = logging.getLogger("lmdistill")


@contextmanager
def open_teacher(out: Path, job: Labelling) -> Iterator[ApiTeacher]:
    """The teacher, while no other command writes `out`."""
    with ApiClient(job.server) as client, sole_writer(out):
        require_new_output(out)
        with AnswerCache(out.parent, account_of(out, job)) as cache:
            yield ApiTeacher(client, cache, Budget(job.limit, cache.spent()), job.asking)


def ask_prompts(
    teacher: ApiTeacher, prompts: Sequence[str], job: Labelling, title: str = "label"
) -> tuple[Source, Outcome]:
    """Ask about prompts, until every question has a reply or the budget is reached.

    Args:
        teacher: From `open_teacher`.
        prompts: Different prompts, at least one.
        job: What is asked for.
        title: What the work is called while it runs.

    Returns:
        Where probabilities come from, and what became of the questions.

    Raises:
        ConfigError: The budget is below one call, or the server refuses the requests.
        RunError: The server does not answer any more.
    """
    _require_one_call(prompts, job)
    try:
        kind = teacher.source(prompts)
    except BudgetReachedError:
        return "samples", Outcome(budget_reached=True)
    log.info("%s", _says(kind, job, teacher))
    questions = [question for prompt in prompts for question in teacher.questions(prompt, kind)]
    waiting = [question for question in questions if teacher.cache.get(question) is None]
    with progress(title, len(questions), unit="call") as shown:
        shown.resume(len(questions) - len(waiting))
        return kind, teacher.ask_all(waiting, shown.add)


def _require_one_call(prompts: Sequence[str], job: Labelling) -> None:
    """Refuse a budget that is below the smallest call."""
    shortest = min(prompts, key=lambda prompt: len(prompt.encode()))
    limit, least = job.limit, largest_usage(shortest, job.asking.max_new)
    if limit is not None and limit.used(least) > limit.amount:
        raise ConfigError(
            f"--budget {limit.text(limit.amount)} is below one call, which may take "
            f"{limit.text(limit.used(least))}. Raise it, or lower --max-new."
        )


def _says(kind: Source, job: Labelling, teacher: ApiTeacher) -> str:
    """Where probabilities come from, in one sentence."""
    if kind == "logprobs":
        return f"{job.server.shown} gives log-probabilities; they are used"
    why = "" if job.asking.probabilities == "samples" else f"{job.server.shown} gives no log-probabilities; "
    return f"{why}probabilities come from {job.asking.samples} samples for each text"


def reader_of(
    teacher: ApiTeacher, job: Labelling, kind: Source, outcome: Outcome
) -> Callable[[str], LabelDistribution | Rejection | None]:
    """A function from a prompt to its probabilities or its rejection; None if it was not asked to the end."""

    def read(prompt: str) -> LabelDistribution | Rejection | None:
        replies = [teacher.cache.get(question) for question in teacher.questions(prompt, kind)]
        whole = [reply for reply in replies if reply is not None]
        if len(whole) == len(replies):
            return read_replies(whole, job.words, kind)
        reason = outcome.unfit.get(prompt)
        return (
            None if reason is None else Rejection(reason="unfit", detail=f"the server refuses it: {reason}")
        )

    return read


def why_stopped(outcome: Outcome, job: Labelling) -> str:
    """Why rows have no answer."""
    if outcome.budget_reached and job.limit is not None:
        return f"the budget of {job.limit.text(job.limit.amount)} is reached"
    return f"{outcome.failed} calls failed, the last with: {outcome.reason}" if outcome.failed else ""
