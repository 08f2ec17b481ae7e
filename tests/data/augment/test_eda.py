from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lmdistill.data.augment import Eda
from lmdistill.data.augment.eda import with_deletions, with_insertions, with_swaps, with_synonyms
from lmdistill.data.augment.word_splitting import split_words
from tests.data.augment.dictionary import write_wordnet

BOOK = {"movie": ("film",), "good": ("fine",), "house": ("home",)}
TEXT = 'The MOVIE, "good" - not 3 Houses!'
TEXTS = ["A good movie.", "we watch the film, quickly", "house", "3 + 4", "", "The big Movie is good."]


def synonyms(word: str) -> tuple[str, ...]:
    return BOOK.get(word.lower().removesuffix("s"), ())


def draws(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def test_all_content_words_with_synonyms_are_replaced_in_their_case_and_nothing_else() -> None:
    assert "".join(with_synonyms(split_words(TEXT), 9, draws(), synonyms)) == 'The FILM, "fine" - not 3 Home!'


@pytest.mark.parametrize("seed", range(5))
def test_as_many_words_as_asked_for_are_replaced(seed: int) -> None:
    old, new = split_words(TEXT), with_synonyms(split_words(TEXT), 1, draws(seed), synonyms)
    assert sum(a != b for a, b in zip(old, new, strict=True)) == 1


@pytest.mark.parametrize("seed", range(5))
def test_insertions_add_synonyms_and_keep_every_word(seed: int) -> None:
    words = "".join(with_insertions(split_words(TEXT), 2, draws(seed), synonyms))
    added = list(split_words(words)[1::2])
    for word in split_words(TEXT)[1::2]:
        added.remove(word)
    assert len(added) == 2
    assert set(added) <= {"film", "fine", "home"}


@given(st.text("ab ,.", max_size=20), st.integers(0, 100))
def test_swaps_keep_the_words_as_a_bag_and_every_gap_in_place(text: str, seed: int) -> None:
    pieces = split_words(text)
    swapped = with_swaps(pieces, 1, draws(seed))
    assert swapped[::2] == pieces[::2]
    assert sorted(swapped[1::2]) == sorted(pieces[1::2])


def test_one_swap_moves_exactly_two_words() -> None:
    pieces = split_words("a b c d e")
    assert sum(a != b for a, b in zip(pieces, with_swaps(pieces, 1, draws()), strict=True)) == 2


@given(st.text("ab ,.", max_size=20), st.integers(0, 100), st.sampled_from([0.1, 0.5, 1.0]))
def test_deletions_leave_a_part_of_the_words_in_order_and_at_least_one(
    text: str, seed: int, share: float
) -> None:
    pieces = split_words(text)
    left = with_deletions(pieces, share, draws(seed))
    assert left[::2] == pieces[::2]
    assert all(new in (old, "") for old, new in zip(pieces, left, strict=True))
    assert any(left[1::2]) == bool(pieces[1::2])


def test_deletions_hit_the_share_of_words_asked_for() -> None:
    pieces = split_words("word " * 20_000)
    left = sum(map(bool, with_deletions(pieces, 0.1, draws())[1::2]))
    assert left == pytest.approx(18_000, abs=150)  # 3.5 standard deviations of sqrt(20000 * 0.1 * 0.9) = 42


@pytest.fixture
def eda(tmp_path: Path) -> Eda:
    pytest.importorskip("nltk", reason="nltk is not installed")
    return Eda(wordnet=str(write_wordnet(tmp_path)))


def test_every_text_gives_one_text_and_blank_ones_stay_blank(eda: Eda) -> None:
    results = eda(TEXTS)
    assert len(results) == len(TEXTS)
    assert results[3:5] == ["3 + 4", ""]
    assert results != TEXTS


def test_results_depend_on_text_copy_and_seed_and_not_on_company_or_order(eda: Eda) -> None:
    together = eda([*TEXTS, *TEXTS], [0] * 6 + [1] * 6)
    alone = [eda([text], [copy])[0] for copy in (0, 1) for text in TEXTS]
    assert together == alone
    assert eda(TEXTS[::-1]) == eda(TEXTS)[::-1]
    assert together[:6] != together[6:]
    assert Eda(wordnet=eda.wordnet, seed=1)(TEXTS) != eda(TEXTS)


def test_texts_of_one_shape_are_not_edited_in_step() -> None:
    swaps = Eda(synonym=0.0, insertion=0.0, deletion=0.0)
    edited = swaps([f"a b c d e f {mark}" for mark in range(12)])
    assert len({text[:11] for text in edited}) > 6


def test_a_long_text_has_its_share_of_words_edited(eda: Eda) -> None:
    swaps = Eda(wordnet=eda.wordnet, synonym=0.0, insertion=0.0, deletion=0.0, swap=0.2)
    text = " ".join(chr(97 + i) for i in range(20))
    (new,) = swaps([text])
    moved = sum(a != b for a, b in zip(text.split(), new.split(), strict=True))
    assert 4 <= moved <= 8  # four swaps, of which some may meet


def test_each_edit_is_drawn_evenly_among_those_that_are_on(eda: Eda) -> None:
    texts = eda(["good movie big film"] * 1000, range(1000))
    longer = sum(len(text.replace("motion picture", "film").split()) == 5 for text in texts)
    assert longer == pytest.approx(
        250, abs=48
    )  # insertions; 3.5 standard deviations of sqrt(1000 / 4 * 3 / 4)
    only_swaps = Eda(synonym=0.0, insertion=0.0, deletion=0.0)  # opens no WordNet
    assert {" ".join(sorted(text.split())) for text in only_swaps(["c a b"] * 20, range(20))} == {"a b c"}
