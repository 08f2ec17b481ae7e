"""What a labelling asks for: the server, the labels, the prompt and the budget."""

from dataclasses import dataclass, field
from pathlib import Path

from lmdistill.core.fingerprint import fingerprint
from lmdistill.labelling.api_client import Server
from lmdistill.labelling.cost import Limit, Prices
from lmdistill.labelling.label_words import LabelWords
from lmdistill.labelling.request_settings import Asking


@dataclass(frozen=True, kw_only=True)
class Labelling:
    """Whom to ask, what, and for how much."""

    server: Server
    """The server and its model."""

    words: LabelWords
    """The labels, and the word that the teacher writes for each."""

    prompt: str | None = None
    """Prompt with `{text}` or the names of the text columns, and `{labels}`; None takes the default one."""

    asking: Asking = field(default_factory=Asking)
    """Where probabilities come from, and the settings of a request."""

    prices: Prices | None = None
    """Prices, for the cost that is reported."""

    limit: Limit | None = None
    """The budget of all calls for one output, those of earlier runs included; None sets none."""

    def __post_init__(self) -> None:
        if self.asking.probabilities != "samples":
            self.words.require_distinct_beginnings()


def account_of(out: Path, job: Labelling) -> str:
    """Whose calls are counted together: those for an output that ask the same model in the same way."""
    question = (job.prompt, job.words.labels, job.words.words)
    return f"{out.name} {fingerprint(job.server.identity, job.server.model, question)}"
