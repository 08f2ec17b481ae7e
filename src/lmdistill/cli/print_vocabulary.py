"""Results of `lmdistill trim-vocabulary`: tables of word pieces and of changed texts on stdout."""

from rich.table import Table

from lmdistill.analysis.number_format import megabytes, percent
from lmdistill.cli.console import results, say
from lmdistill.records.vocabulary_facts import VocabularyFacts


def show_vocabulary(facts: VocabularyFacts) -> None:
    """Print word pieces and embeddings before and after, what was checked, and what changed on dev."""
    table = Table(show_edge=False)
    for title in ("", "word pieces", "word embeddings"):
        table.add_column(title, justify="right" if title else "left")
    table.add_row("before", f"{facts.pieces_before:,}", megabytes(facts.embedding_bytes_before))
    table.add_row("after", f"{facts.pieces:,}", megabytes(facts.embedding_bytes))
    results().print(table)
    say(
        f"{facts.needed:,} word pieces for the texts, {facts.composing:,} to compose other words, "
        f"{facts.filled:,} more"
    )
    say(
        f"the same word pieces in {facts.texts:,} texts; logits of {facts.compared_logits:,} of them differ "
        f"by at most {facts.largest_difference:.1g}"
    )
    if facts.changed:
        changes = Table(show_edge=False)
        for title in ("split", "changed texts", "removed word pieces"):
            changes.add_column(title, justify="left" if title == "split" else "right")
        for split, one in facts.changed.items():
            changes.add_row(
                split,
                _share(one.changed_texts, one.texts),
                _share(one.removed_pieces, one.pieces),
            )
        results().print(changes)


def _share(part: int, whole: int) -> str:
    """A number, and its share of another."""
    return f"{part:,} of {whole:,} ({percent(part / whole if whole else 0.0)} %)"
