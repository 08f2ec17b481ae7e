"""Trimming of a student's vocabulary to the word pieces of its training texts."""

from lmdistill.data.batching.tokenizer_checks import cut_text
from lmdistill.data.tasks.task import Task
from lmdistill.models.classifier import Network
from lmdistill.models.vocabulary_trimming.chosen_pieces import Size
from lmdistill.models.vocabulary_trimming.text_pieces import Texts
from lmdistill.models.vocabulary_trimming.trim import pieces_for, trim_to_pieces
from lmdistill.records.vocabulary_facts import VocabularyFacts


def texts_in(task: Task, split: str, max_length: int) -> Texts:
    """The texts of a split, not truncated, but for those that are longer than any `max_length` tokens."""
    rows = task.split(split)
    first = [cut_text(text, max_length) for text in rows["sentence1"]]
    second = [cut_text(text, max_length) for text in rows["sentence2"]] if task.is_pair else None
    return Texts(first, second)


def require_vocabulary(student: Network, task: Task, size: Size, max_length: int) -> None:
    """Check that a vocabulary can be trimmed to `size`, before the student is trained.

    Raises:
        ModelError: If the vocabulary of its tokenizer cannot be trimmed.
        ConfigError: If the training texts need more pieces.
    """
    pieces_for(student, texts_in(task, "train", max_length), size)


def with_trimmed_vocabulary(
    student: Network, task: Task, size: Size, max_length: int
) -> tuple[Network, VocabularyFacts]:
    """The student with `size` word pieces, which reads its training texts as before; and what changed on dev.

    Rows of the embeddings that no training text uses have had no gradient, so trimming after the training
    loses nothing that was learned.

    Args:
        student: Trained; not changed.
        task: All its training rows count, also those without a label.
        size: Number of pieces, or "texts" for those that are needed.
        max_length: Longest input in tokens.

    Raises:
        ModelError: If the vocabulary cannot be trimmed, or logits change.
        ConfigError: If the training texts need more pieces.
    """
    train = texts_in(task, "train", max_length)
    dev = {name: texts_in(task, name, max_length) for name in task.spec.splits}
    return trim_to_pieces(student, pieces_for(student, train, size), train, dev, max_length=max_length)
