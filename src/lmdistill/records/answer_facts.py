"""What a record says of answers that stood in for a teacher."""

from lmdistill.records.number_ranges import Count
from lmdistill.records.schema import Part


class AnswerFacts(Part):
    """Answers of a teacher that was not run."""

    source: str
    """Path of the file with the answers."""
    fingerprint: str
    """Fingerprint of its contents."""
    kind: str
    """"probabilities", "logits", "labels", "votes" or "scores"."""
    texts: Count
    """Number of different texts that it answers."""
    answered: Count
    """Training examples with an answer."""
    unanswered: Count
    """Training examples without one; teacher terms do not see them."""
