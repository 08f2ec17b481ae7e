import functools
import re

import numpy as np
import pytest
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression

from lmdistill.core.errors import ConfigError
from lmdistill.core.seeding import generator
from lmdistill.data.synthetic import reviews, reviews_lexicon
from lmdistill.data.synthetic.reviews import Writer, letters, make_reviews, reviews_task, split_of
from lmdistill.data.synthetic.reviews_grammar import (
    Opinion,
    agreement,
    contrast,
    disagreement,
    framed,
    past,
    third_person,
)
from lmdistill.data.synthetic.reviews_lexicon import Words

TABLES = {
    "ADJECTIVES": reviews_lexicon.ADJECTIVES,
    "NOUNS": reviews_lexicon.NOUNS,
    "VERBS": reviews_lexicon.VERBS,
    "FEELINGS": reviews_lexicon.FEELINGS,
    **{domain.thing: domain.adjectives for domain in reviews_lexicon.DOMAINS},
}
WORDS: list[Words] = [words for table in TABLES.values() for words in table.values()]


@pytest.fixture(scope="module")
def train() -> list[tuple[str, int]]:
    return make_reviews(800, seed=0, split="train")


@pytest.fixture(scope="module")
def dev() -> list[tuple[str, int]]:
    return make_reviews(400, seed=0, split="dev")


@functools.cache
def finder(entries: tuple[str, ...]) -> tuple[re.Pattern[str], dict[str, str]]:
    """What finds words of the lexicon in a text, and which entry each form of them belongs to."""
    entry_of = {form: entry for entry in entries for form in (past(entry), third_person(entry), entry)}
    longest_first = sorted(map(re.escape, entry_of), key=len, reverse=True)
    return re.compile(rf"(?<![\w-])(?:{'|'.join(longest_first)})(?![\w-])"), entry_of


def found(entries: tuple[str, ...], text: str) -> set[str]:
    """Entries of the lexicon that stand in a text, whole words only."""
    pattern, entry_of = finder(entries)
    return {entry_of[form] for form in pattern.findall(text.lower())}


def writer(seed: int, share: float = 0.5) -> Writer:
    return Writer(
        generator(seed, "tests"), reviews_lexicon.DOMAINS[seed % len(reviews_lexicon.DOMAINS)], share
    )


def naive_reading(text: str) -> bool:
    """Whether a clause of one opinion word is praise, read without the grammar."""
    hits = {praises for table in TABLES.values() for praises, words in table.items() if _in(words, text)}
    assert len(hits) == 1, text
    denied = re.search(r"\b(not|far from|anything but|by no means|nothing|nobody|at no point)\b", text)
    return hits.pop() != bool(denied)


def _in(words: Words, text: str) -> bool:
    return bool(found(words.seen + words.held_out, text))


def test_the_same_seed_gives_the_same_reviews_and_another_seed_others() -> None:
    first, again = (make_reviews(50, seed=3, split="dev") for _ in range(2))
    assert first == again
    assert not {text for text, _ in first} & {text for text, _ in make_reviews(50, seed=4, split="dev")}


@pytest.mark.parametrize("rows", [1, 2, 51])
@pytest.mark.parametrize("split", ["train", "dev", "test"])
def test_half_of_the_reviews_are_positive(rows: int, split: reviews.Split) -> None:
    labels = [label for _, label in make_reviews(rows, seed=1, split=split)]
    assert len(labels) == rows
    assert sum(labels) == rows // 2


def test_no_two_reviews_have_the_same_letters(
    train: list[tuple[str, int]], dev: list[tuple[str, int]]
) -> None:
    for rows in (train, dev):
        assert len({letters(text) for text, _ in rows}) == len(rows)


def test_a_text_has_one_home_whatever_the_seed(train: list[tuple[str, int]]) -> None:
    assert {split_of(text) for text, _ in train} == {"train"}
    for seed in (0, 17):
        assert {split_of(text) for text, _ in make_reviews(100, seed=seed, split="test")} == {"test"}
    assert split_of("The plot, I said!") == split_of("the PLOT i said...")


def test_every_review_has_a_home(train: list[tuple[str, int]]) -> None:
    texts = [" ".join(text.split()[1:]) for text, _ in train]
    shares = np.unique([split_of(text) for text in texts], return_counts=True)[1] / len(texts)
    assert shares.tolist() == pytest.approx([1 / 3] * 3, abs=0.07)


def test_train_never_shows_a_held_out_word_and_dev_does_in_most_reviews(
    train: list[tuple[str, int]], dev: list[tuple[str, int]]
) -> None:
    held_out = tuple(word for words in WORDS for word in words.held_out)
    everything = " \n ".join(text for text, _ in train)
    assert found(held_out, everything) == set()
    share = np.mean([bool(found(held_out, text)) for text, _ in dev])
    assert 0.45 < share < 0.75


def test_no_word_is_both_praise_and_blame_or_both_seen_and_held_out() -> None:
    entries = [word for words in WORDS for word in words.seen + words.held_out]
    assert len(entries) == len(set(entries))


def test_reviews_are_as_long_as_promised_and_short_on_average(train: list[tuple[str, int]]) -> None:
    lengths = [len(text.split()) for text, _ in train]
    assert min(lengths) == reviews.FEWEST_WORDS
    assert max(lengths) <= reviews.MOST_WORDS
    assert 13 < np.mean(lengths) < 18
    assert np.std(lengths) > 4


def test_no_pattern_is_left_unfilled(train: list[tuple[str, int]], dev: list[tuple[str, int]]) -> None:
    assert [text for text, _ in train + dev if re.search(r"[{}]|  |\bNone\b", text)] == []


def test_texts_are_typed_in_several_ways(train: list[tuple[str, int]]) -> None:
    texts = [text for text, _ in train]
    assert {text[-1] for text in texts} >= {".", "!"}
    assert 0.02 < np.mean([text.isupper() for text in texts]) < 0.1
    assert 0.1 < np.mean([text[0].islower() for text in texts]) < 0.3


@pytest.mark.parametrize("seed", range(30))
def test_a_clause_means_its_word_turned_round_by_its_denial(seed: int) -> None:
    draws = writer(seed)
    for make in (draws.described, draws.named, draws.acting, lambda: draws.felt("I")):
        opinion = make()
        assert naive_reading(opinion.text) == opinion.praises
        assert naive_reading(opinion.contrary) != opinion.praises


@pytest.mark.parametrize("seed", range(20))
def test_negating_the_deciding_clause_flips_the_label_and_negating_the_other_does_not(seed: int) -> None:
    draws = writer(seed)
    for raw in (
        *reviews_lexicon.CONTRASTS,
        *reviews_lexicon.FEELING_CONTRASTS,
        *reviews_lexicon.ATTRIBUTIONS,
    ):
        pattern = raw.replace("{who}", "my aunt")
        minor, major = draws.side(), draws.side()
        whole = contrast(minor, major, pattern)
        assert whole.praises == major.praises
        assert contrast(minor, major.negated(), pattern).praises != whole.praises
        assert contrast(minor.negated(), major, pattern).praises == whole.praises
        assert minor.text in whole.text
        assert major.text in whole.text


@pytest.mark.parametrize("seed", range(20))
def test_swapping_the_clauses_around_but_flips_the_label_when_they_disagree(seed: int) -> None:
    draws = writer(seed)
    one, other = draws.side(), draws.side()
    there, back = contrast(one, other), contrast(other, one)
    assert (there.praises != back.praises) == (one.praises != other.praises)
    assert there.text.split(", but ") == back.text.split(", but ")[::-1] or ", but " in one.text + other.text


@pytest.mark.parametrize("seed", range(20))
def test_a_review_and_its_contrary_differ_in_text_and_label_and_denying_twice_changes_nothing(
    seed: int,
) -> None:
    opinion = writer(seed).opinion()
    assert opinion.text != opinion.contrary
    assert opinion.negated().praises != opinion.praises
    assert opinion.negated().negated() == opinion


def test_denials_turn_round_twice_is_as_it_was_and_openers_keep() -> None:
    dull = Opinion("the plot is dull", "the plot is not dull", False)
    once = framed(dull, reviews_lexicon.DENIALS[0], turns=True)
    twice = framed(once, reviews_lexicon.DENIALS[1], turns=True)
    assert (once.text, once.praises) == ("it is not true that the plot is dull", True)
    assert (twice.text, twice.praises) == ("I would not say that it is not true that the plot is dull", False)
    assert once.contrary == "it is not true that the plot is not dull"
    assert not framed(dull, "I think that {0}").praises


def test_a_statement_is_turned_by_denials_only() -> None:
    starts = {
        pattern.removesuffix("{0}"): turns
        for turns, patterns in ((True, reviews_lexicon.DENIALS), (False, reviews_lexicon.OPENERS))
        for pattern in patterns
    }
    framings = 0
    for seed in range(300):
        opinion = writer(seed).statement()
        start = next((start for start in starts if opinion.text.startswith(start)), None)
        if start is not None:
            framings += 1
            assert opinion.praises == (naive_reading(opinion.text.removeprefix(start)) != starts[start])
    assert framings > 20


def test_what_somebody_said_counts_when_confirmed_and_is_turned_when_refuted() -> None:
    ends = {pattern.split("{0}")[1]: True for pattern in reviews_lexicon.REFUTED}
    ends |= {pattern.split("{0}")[1]: False for pattern in reviews_lexicon.CONFIRMED}
    for seed in range(60):
        opinion = writer(seed).judged()
        end = next(end for end in ends if opinion.text.endswith(end))
        said = opinion.text.removesuffix(end).split(" that ", 1)[1]
        assert opinion.praises == (naive_reading(said) != ends[end])


@pytest.mark.parametrize("seed", range(20))
def test_sides_of_a_disagreement_disagree_and_parts_of_an_agreement_agree(seed: int) -> None:
    draws = writer(seed)
    first, second = draws.clause(), draws.clause()
    minor = disagreement(first, second, "{minor} | {major}").text.split(" | ")[0]
    assert naive_reading(minor) != second.praises
    parts = agreement(first, second).text
    assert naive_reading(parts.removeprefix(first.text + " and ")) == first.praises


@pytest.mark.parametrize(
    "pattern", [*reviews_lexicon.CONTRASTS, *reviews_lexicon.FEELING_CONTRASTS, *reviews_lexicon.ATTRIBUTIONS]
)
def test_a_pattern_of_two_names_both_once(pattern: str) -> None:
    assert pattern.count("{minor}") == pattern.count("{major}") == 1


@pytest.mark.parametrize(
    "pattern",
    [
        *reviews_lexicon.OPENERS,
        *reviews_lexicon.DENIALS,
        *reviews_lexicon.CONFIRMED,
        *reviews_lexicon.REFUTED,
    ],
)
def test_a_pattern_of_one_names_it_once(pattern: str) -> None:
    assert pattern.count("{0}") == 1


@pytest.mark.parametrize("ngram", [1, 2])
def test_counting_words_does_not_solve_the_task(
    ngram: int, train: list[tuple[str, int]], dev: list[tuple[str, int]]
) -> None:
    counts = CountVectorizer(ngram_range=(1, ngram), min_df=2)
    model = LogisticRegression(C=0.3, max_iter=500)
    model.fit(counts.fit_transform([text for text, _ in train]), [label for _, label in train])
    assert model.score(counts.transform([text for text, _ in dev]), [label for _, label in dev]) < 0.75


def test_the_task_has_the_columns_of_every_task() -> None:
    task = reviews_task(20, 10, seed=5, careless=0.0)
    assert task.spec.name == "synthetic"
    assert task.spec.labels == ("negative", "positive")
    assert task.spec.metrics == ("accuracy",)
    assert not task.is_pair
    assert set(task.splits) == {"train", "dev"}
    rows = task.train
    assert rows.column_names == ["sentence1", "sentence2", "label", "index"]
    assert list(zip(rows["sentence1"], rows["label"], strict=True)) == make_reviews(20, seed=5, split="train")
    assert set(rows["sentence2"]) == {""}
    assert list(rows["index"]) == list(range(20))
    assert (
        task.fingerprint
        == reviews_task(20, 10, seed=5, careless=0.0).fingerprint
        != reviews_task(20, 10, seed=6, careless=0.0).fingerprint
    )
    assert "synthetic" in task.source


def test_the_careless_share_of_the_training_labels_is_wrong_and_no_dev_label() -> None:
    task = reviews_task(40, 30, seed=5, careless=0.25)
    for rows, split, wrong in ((task.train, "train", 10), (task.dev["dev"], "dev", 0)):
        truth = make_reviews(rows.num_rows, seed=5, split=split)
        assert list(rows["sentence1"]) == [text for text, _ in truth]
        assert sum(a != b for a, (_, b) in zip(rows["label"], truth, strict=True)) == wrong
    assert any("10 of 40 training labels are wrong" in note for note in task.notes)


@pytest.mark.parametrize("careless", [-0.1, 1.0])
def test_a_share_of_wrong_labels_outside_its_range_is_refused(careless: float) -> None:
    with pytest.raises(ConfigError, match=rf"careless must be in \[0, 1\), got {careless}"):
        reviews_task(4, 4, careless=careless)


def test_an_empty_split_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"a split needs 1 review or more, got 0\. Ask for more rows\."):
        make_reviews(0, seed=0, split="train")
