"""What cards say of a trimmed vocabulary."""

from lmdistill.records.record import Record


def vocabulary_text(record: Record) -> list[str]:
    """Word pieces of the student, and in how many texts that changes them; empty if nothing was trimmed."""
    facts = record.vocabulary
    if facts is None:
        return []
    changed = " and ".join(
        f"{one.changed_texts:,} of {one.texts:,} texts of {split}" for split, one in facts.changed.items()
    )
    return [
        f"Vocabulary: {facts.pieces:,} of {facts.pieces_before:,} word pieces. The training texts have the "
        f"same word pieces as before; {changed} have others."
    ]
