"""What a language model writes, against references: overlap, variety, length, and whether it stops."""

import importlib.util
import re
from collections.abc import Sequence
from dataclasses import dataclass

from lmdistill.core.errors import DataError, MissingExtraError


@dataclass(frozen=True, kw_only=True)
class Generation:
    """A completion and what it is compared with."""

    prompt: str
    """What the model was given."""

    reference: str
    """What somebody else wrote there."""

    completion: str
    """What the model wrote, without special tokens."""

    tokens: int
    """Length of the completion, the end token included, >= 0."""

    ended: bool
    """Whether the model wrote the end token, or was cut off."""


@dataclass(frozen=True, kw_only=True)
class GenerationScores:
    """Means over completions."""

    count: int
    """Completions, >= 1."""

    rouge_l: float | None
    """Mean ROUGE-L F1 against the references, in [0, 1]; None where it was not asked for."""

    distinct_1: float
    """Different words among all words of all completions, in [0, 1]."""

    distinct_2: float
    """Different pairs of neighbouring words among all such pairs, in [0, 1]."""

    length: float
    """Mean number of tokens, >= 0."""

    ended: float
    """Share of completions that end with the end token, in [0, 1]."""

    def metrics(self) -> dict[str, float]:
        """The numbers by name, as a record keeps them."""
        found = {"distinct_1": self.distinct_1, "distinct_2": self.distinct_2}
        found |= {"length": self.length, "ended": self.ended}
        return found if self.rouge_l is None else {"rouge_l": self.rouge_l, **found}


def generation_scores(generations: Sequence[Generation], *, rouge: bool = True) -> GenerationScores:
    """All numbers of this file.

    Args:
        generations: At least one.
        rouge: Compare with the references; needs the extra `eval`.

    Raises:
        DataError: There are none.
        MissingExtraError: rouge-score is not installed, and asked for.
    """
    if not generations:
        raise DataError("there are 0 completions to score; give at least one prompt.")
    texts, count = [generation.completion for generation in generations], len(generations)
    return GenerationScores(
        count=count,
        rouge_l=sum(rouge_l(generations)) / count if rouge else None,
        distinct_1=distinct_n(texts, 1),
        distinct_2=distinct_n(texts, 2),
        length=sum(generation.tokens for generation in generations) / count,
        ended=sum(generation.ended for generation in generations) / count,
    )


def rouge_l(generations: Sequence[Generation]) -> list[float]:
    """ROUGE-L F1 of each completion against its reference, in [0, 1]; 0 where either has no words.

    Words are runs of the letters a to z and digits, in lower case and not stemmed, as the package rouge-score
    has them by default: scripts other than Latin give none.

    Raises:
        MissingExtraError: rouge-score is not installed.

    References:
        Lin, "ROUGE: A Package for Automatic Evaluation of Summaries", 2004, section 3.1, beta = 1.
    """
    if importlib.util.find_spec("rouge_score") is None:
        raise MissingExtraError(
            "ROUGE needs rouge-score, which is not installed. Run: pip install lmdistill[eval]"
        )
    from rouge_score.rouge_scorer import RougeScorer

    scorer = RougeScorer(["rougeL"])
    return [float(scorer.score(one.reference, one.completion)["rougeL"].fmeasure) for one in generations]


def distinct_n(texts: Sequence[str], n: int) -> float:
    """Different runs of n words among all runs of n words of all texts together, in [0, 1]; 0 where none is.

    Words are runs of letters and digits of any script, in lower case.

    Examples:
        >>> distinct_n(["The cat and the dog", "the cat"], 1)
        0.5714285714285714
        >>> distinct_n(["The cat and the dog", "the cat"], 2)
        0.8

    References:
        Li et al., "A Diversity-Promoting Objective Function for Neural Conversation Models", 2016, section 5.
    """
    words = [re.findall(r"\w+", text.lower()) for text in texts]
    runs = [tuple(row[at : at + n]) for row in words for at in range(len(row) - n + 1)]
    return len(set(runs)) / len(runs) if runs else 0.0
