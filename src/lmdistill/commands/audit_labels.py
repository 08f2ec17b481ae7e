"""An audit: a teacher's labels beside human ones, before it is asked about everything."""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from lmdistill.core.atomic_io import write_json
from lmdistill.core.errors import ConfigError
from lmdistill.labelling.answers_file import audit_path, require_new_output
from lmdistill.labelling.audit import ENOUGH, Audit, audit_of, require_share
from lmdistill.labelling.label_probabilities import LabelDistribution
from lmdistill.labelling.labelling_job import Labelling
from lmdistill.labelling.prompt_template import prompt_template
from lmdistill.labelling.teacher_session import ask_prompts, open_teacher, reader_of, why_stopped
from lmdistill.labelling.texts import read_human_labels


def audit(
    source: Path,
    out: Path,
    job: Labelling,
    *,
    text: Sequence[str] = (),
    label_column: str | None = None,
    enough: float = ENOUGH,
) -> Audit:
    """Ask about the texts of a file with human labels, and compare the answers with these.

    The answers are kept in the cache of `out`, and count to its budget. The figures are written to
    `NAME.audit.json` beside it.

    Args:
        source: A file as for `label`, with a column of human labels.
        out: The output of the labelling that the audit belongs to.
        job: Whom to ask, what, and for how much.
        text: Names of the text columns; inferred when empty.
        label_column: Name of the column of human labels; inferred when None.
        enough: Agreement that is good enough, in [0, 1].

    Raises:
        DataError: As for `label`; or a human label is missing or unknown.
        ConfigError: As for `label`; or the budget does not reach for the audit.
        RunError: As for `label`.
    """
    require_share(enough)
    human = read_human_labels(source, job.words.labels, text=text, label=label_column)
    require_new_output(out)
    template = prompt_template(job.prompt, human.table.columns, job.words, place="--prompt")
    with open_teacher(out, job) as teacher:
        prompts = [template.fill(texts) for texts in human.texts]
        kind, outcome = ask_prompts(teacher, list(dict.fromkeys(prompts)), job, title="audit")
        found = reader_of(teacher, job, kind, outcome)
        answers = {prompt: found(prompt) for prompt in dict.fromkeys(prompts)}
    missing = sum(answers[prompt] is None for prompt in prompts)
    if missing:
        raise ConfigError(
            f"{missing} of {len(prompts)} audited texts have no answer: {why_stopped(outcome, job)}. The "
            "same command continues."
        )
    given = [answers[prompt] for prompt in prompts]
    result = audit_of(
        human.labels,
        [one.probabilities if isinstance(one, LabelDistribution) else None for one in given],
        job.words.labels,
        enough=enough,
    )
    write_json(audit_path(out), {**asdict(result), "verdict": result.verdict, "model": job.server.model})
    return result
