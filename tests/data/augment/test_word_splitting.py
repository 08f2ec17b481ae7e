from hypothesis import given
from hypothesis import strategies as st

from lmdistill.data.augment.word_splitting import is_content_word, match_case, split_words


@given(st.text())
def test_the_pieces_of_a_text_join_to_it_again_with_words_at_odd_places(text: str) -> None:
    pieces = split_words(text)
    assert "".join(pieces) == text
    assert len(pieces) % 2 == 1
    assert all(piece[0].isalnum() for piece in pieces[1::2])


def test_negations_are_not_content_in_any_spelling() -> None:
    assert not any(is_content_word(word) for word in ["not", "Never", "don't", "didn’t", "n't", "cannot"])


def test_hyphens_and_apostrophes_stay_inside_words_and_numbers_outside() -> None:
    assert split_words("well-worn 3D films'")[1::2] == ["well-worn", "D", "films"]


def test_case_follows_the_word_that_was_there() -> None:
    assert [match_case("big screen", model) for model in ("FILM", "Film", "film", "I")] == [
        "BIG SCREEN", "Big screen", "big screen", "Big screen",
    ]  # fmt: skip
