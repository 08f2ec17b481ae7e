"""What a record says of a trimmed vocabulary."""

from pydantic import Field

from lmdistill.records.number_ranges import Amount, Count
from lmdistill.records.schema import Part


class ChangedTexts(Part):
    """What trimming changed in the texts of a split."""

    texts: Count
    """Number of texts."""
    changed_texts: Count
    """Number of texts that are cut into other word pieces than before."""
    pieces: Count
    """Number of word pieces of the texts before, special tokens included."""
    removed_pieces: Count
    """How many of them are no longer in the vocabulary."""


class VocabularyFacts(Part):
    """A vocabulary before and after it was trimmed to the pieces that texts need."""

    pieces_before: Count
    """Number of word pieces of the whole vocabulary, special tokens included."""
    pieces: Count
    """Number of word pieces that are left."""
    needed: Count
    """How many of them the training texts need, special tokens included."""
    composing: Count
    """How many more compose the words of other texts."""
    filled: Count
    """How many more were kept to reach the wanted number."""
    embedding_bytes_before: Count
    """Bytes of the word embeddings in float32 before."""
    embedding_bytes: Count
    """Bytes of the word embeddings in float32 after."""
    texts: Count
    """Number of training texts whose word pieces were compared; all were the same."""
    compared_logits: Count
    """Number of training texts whose logits were compared."""
    largest_difference: Amount
    """Largest difference of these logits before and after."""
    changed: dict[str, ChangedTexts] = Field(default_factory=dict)
    """What changed in the texts of the dev splits, by split."""
