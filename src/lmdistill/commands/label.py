"""Labelling: the rows of a file, each with probabilities of labels from a model behind a server."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from lmdistill.core.errors import DataError
from lmdistill.data.tasks.text_table import TextTable
from lmdistill.labelling.answers_file import (
    answer_line,
    partial_path,
    rejected_line,
    rejected_path,
    require_new_output,
    write_lines,
)
from lmdistill.labelling.api_teacher import ApiTeacher, Outcome
from lmdistill.labelling.cost import Usage
from lmdistill.labelling.label_probabilities import LabelDistribution, Source, is_unanimous
from lmdistill.labelling.labelling_job import Labelling
from lmdistill.labelling.prompt_template import PromptTemplate, prompt_template
from lmdistill.labelling.reply_reading import Rejection
from lmdistill.labelling.teacher_session import ask_prompts, open_teacher, reader_of, why_stopped
from lmdistill.labelling.texts import open_texts

MOST_DOUBTFUL = 0.1
"""Mean probability on no label, in [0, 1], above which a warning is logged."""


@dataclass(frozen=True, kw_only=True)
class Labelled:
    """What became of the rows of a file."""

    path: Path
    """The file of answers: the output, or beside it the answers so far if some are missing."""

    answered: int
    """Rows with probabilities."""

    rejected: Mapping[str, int]
    """Reason to the number of rows that were rejected for it: `refused`, `unparsable` or `unfit`."""

    unanswered: int
    """Rows that were not asked to the end, because the budget or the server ended it."""

    stopped: str
    """Why; "" if every row was."""

    source: Source
    """Where the probabilities come from."""

    unassigned: float
    """Mean probability on no label over the answered rows, in [0, 1]."""

    unanimous: float
    """Share of the answered rows, in [0, 1], whose samples all name one label; 0 with log-probabilities."""

    spent: Usage
    """Calls and tokens for this output, those of earlier runs included."""


def label(source: Path, out: Path, job: Labelling, *, text: Sequence[str] = ()) -> Labelled:
    """Write the rows of `source` to `out`, in their order, each with the teacher's probabilities.

    Each reply is kept in a cache beside `out` as soon as it has arrived. So an interrupted call continues,
    and pays for nothing twice. Rows that the teacher refuses, or whose replies name no label, go to
    `NAME.rejected.jsonl`. If the budget or the server ends the work, the answers so far are in
    `NAME.partial.jsonl`. Equal texts are asked once.

    Args:
        source: JSON, CSV, TSV or Parquet with one text column or two, or plain text with a text per line.
        out: The output, `.jsonl`: the text columns, `probabilities`, `source`, `samples`, `unassigned` and
            `model`.
        job: Whom to ask, what, and for how much.
        text: Names of the text columns; inferred when empty.

    Raises:
        DataError: The file, the output or a row cannot be used, or no row has an answer.
        ConfigError: A setting is out of its range, the budget is below one call, or the server refuses it.
        RunError: The server does not answer any more, or another command writes `out`.
        MissingExtraError: The package `openai` is not installed.
    """
    table = open_texts(source, text)
    require_new_output(out)
    template = prompt_template(job.prompt, table.columns, job.words, place="--prompt")
    with open_teacher(out, job) as teacher:
        prompts = list(dict.fromkeys(map(template.fill, table.all_texts())))
        if not prompts:
            raise DataError(f"{source} has no rows. Name a file with texts.")
        kind, outcome = ask_prompts(teacher, prompts, job)
        return _write(out, job, teacher, table, template, kind, outcome)


def _write(
    out: Path,
    job: Labelling,
    teacher: ApiTeacher,
    table: TextTable,
    template: PromptTemplate,
    kind: Source,
    outcome: Outcome,
) -> Labelled:
    """Write both files from the cache."""
    read = reader_of(teacher, job, kind, outcome)
    found = {prompt: read(prompt) for prompt in dict.fromkeys(map(template.fill, table.all_texts()))}
    every = [(texts, found[template.fill(texts)]) for texts in table.all_texts()]
    answers = [(texts, one) for texts, one in every if isinstance(one, LabelDistribution)]
    rejected = [(texts, one) for texts, one in every if isinstance(one, Rejection)]
    unanswered = len(every) - len(answers) - len(rejected)
    columns, labels, model = table.columns, job.words.labels, job.server.model
    write_lines(rejected_path(out), (rejected_line(columns, texts, one, model) for texts, one in rejected))
    if not answers and not unanswered:
        raise DataError(
            f"none of the {len(rejected)} texts has an answer; the first is {rejected[0][1].reason}: "
            f"{rejected[0][1].detail}. Change the prompt, the label words or the model; the replies are in "
            f"{rejected_path(out)}."
        )
    path = partial_path(out) if unanswered else out
    write_lines(path, (answer_line(columns, texts, one, labels, model) for texts, one in answers))
    if not unanswered:
        partial_path(out).unlink(missing_ok=True)
    of_samples = 0 if kind == "logprobs" else len(answers)
    unanimous = sum(is_unanimous(one) for _, one in answers[:of_samples])
    doubt = sum(one.unassigned for _, one in answers) / max(1, len(answers))
    return Labelled(
        path=path,
        answered=len(answers),
        rejected=dict(Counter(one.reason for _, one in rejected)),
        unanswered=unanswered,
        stopped=why_stopped(outcome, job),
        source=kind,
        unassigned=doubt,
        unanimous=unanimous / max(1, len(answers)),
        spent=teacher.budget.spent,
    )
