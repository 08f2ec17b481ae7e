"""The cost of a labelling, estimated without a call."""

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from math import ceil
from pathlib import Path

from lmdistill.labelling.answer_cache import NAME, AnswerCache
from lmdistill.labelling.cost import BYTES_PER_TOKEN, NOTHING, Usage, estimated_usage, largest_usage
from lmdistill.labelling.label_probabilities import Source
from lmdistill.labelling.labelling_job import Labelling, account_of
from lmdistill.labelling.prompt_template import prompt_template
from lmdistill.labelling.request_settings import questions_of
from lmdistill.labelling.texts import open_texts


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What a labelling would take, estimated without a call."""

    rows: int
    """Rows of the file."""

    texts: int
    """Different texts in it."""

    usage: Mapping[Source, Usage]
    """Where probabilities come from to the estimated usage of the calls that are not in the cache."""

    largest: Mapping[Source, Usage]
    """The same, to the most that these calls can use."""


def plan(sources: Sequence[Path], out: Path, job: Labelling, *, text: Sequence[str] = ()) -> Plan:
    """Count the calls and tokens of a labelling, without a call; see `labelling.cost` for the estimates.

    Args:
        sources: The file of texts, and that of an audit if there is one.
        out: The output; replies in its cache are not counted.
        job: Whom to ask, what, and for how much.
        text: Names of the text columns; inferred when empty.

    Raises:
        DataError: A file or a row cannot be used.
        ConfigError: A setting is out of its range.
    """
    rows = 0
    prompts: dict[str, None] = {}
    for source in sources:
        table = open_texts(source, text)
        template = prompt_template(job.prompt, table.columns, job.words, place="--prompt")
        for texts in table.all_texts():
            rows += 1
            prompts[template.fill(texts)] = None
    kinds: list[Source] = ["logprobs", "samples"]
    if job.asking.probabilities != "auto":
        kinds = [job.asking.probabilities]
    usage: dict[Source, Usage] = {}
    largest: dict[Source, Usage] = {}
    answer_tokens = 1 + ceil(max(len(word.encode()) for word in job.words.words) / BYTES_PER_TOKEN)
    with ExitStack() as stack:
        known = (out.parent / NAME).exists()
        cache = stack.enter_context(AnswerCache(out.parent, account_of(out, job))) if known else None
        for kind in kinds:
            usage[kind] = largest[kind] = NOTHING
            for prompt in prompts:
                for question in questions_of(job.server.identity, job.server.model, job.asking, prompt, kind):
                    if cache is None or cache.get(question) is None:
                        usage[kind] += estimated_usage(prompt, min(answer_tokens, question.max_new))
                        largest[kind] += largest_usage(prompt, question.max_new)
    return Plan(rows=rows, texts=len(prompts), usage=usage, largest=largest)
