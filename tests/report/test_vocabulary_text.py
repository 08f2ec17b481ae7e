"""The card of a student with a trimmed vocabulary says how much of it is left."""

from lmdistill.report.model_card import model_card
from tests.report.factory import make_record

FACTS = {
    "pieces_before": 30522, "pieces": 12072, "needed": 11575, "composing": 497, "filled": 0,
    "embedding_bytes_before": 46881792, "embedding_bytes": 18542592, "texts": 67349, "compared_logits": 256,
    "largest_difference": 0.0,
    "changed": {"dev": {"texts": 872, "changed_texts": 309, "pieces": 21943, "removed_pieces": 463}},
}  # fmt: skip


def test_the_card_says_what_is_left_and_what_changed() -> None:
    assert (
        "- Vocabulary: 12,072 of 30,522 word pieces. The training texts have the same word pieces as before; 309 of "
        "872 texts of dev have others.\n"
    ) in model_card(make_record(vocabulary=FACTS))
    assert "Vocabulary" not in model_card(make_record())
