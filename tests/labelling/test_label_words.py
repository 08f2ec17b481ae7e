import pytest
from hypothesis import given
from hypothesis import strategies as st

from lmdistill.core.errors import ConfigError, UnknownNameError
from lmdistill.labelling.label_words import label_words

PAIR = label_words(["positive", "negative"])


@pytest.mark.parametrize(
    ("reply", "number"),
    [
        ("positive", 0), (" Negative", 1), ("**positive**", 0), ('"negative".', 1), ("POSITIVE!", 0),
        ("Label: negative", 1), ("Answer:\npositive", 0), ("positive, because it is praise", 0),
        ("positive\nnegative", None), ("not positive", None), ("positively", None), ("", None), ("5", None),
        ("<think>negative? no</think>\n\npositive", 0), ("I'm sorry, I can't.", None),
    ],
)  # fmt: skip
def test_a_reply_names_a_label_only_if_it_begins_with_one_and_names_no_other(reply, number):
    assert PAIR.read(reply) == number


def test_the_longest_word_wins_where_one_begins_another():
    words = label_words(["fair", "fair use", "c++"])
    assert [words.read(reply) for reply in ("fair", "fair use", "C++.", "fair use, yes")] == [0, 1, 2, 1]


@given(st.lists(st.text(alphabet="abcdefg", min_size=1, max_size=5), min_size=2, max_size=5, unique=True))
def test_every_word_is_read_as_its_own_label(names):
    words = label_words(names)
    assert [words.read(word) for word in words.words] == list(range(len(names)))
    assert all(number in words.started_by(word) for number, word in enumerate(words.words))


@pytest.mark.parametrize(
    ("token", "numbers"),
    [("pos", (0,)), (" Neg", (1,)), ("\u2581negative", (1,)), ("\u0120p", (0,)), ("", ()), ("\n", ()), ("positive.", (0,)), ("positively", ()), ("x", ())],
)  # fmt: skip
def test_a_token_begins_the_labels_whose_words_begin_with_it(token, numbers):
    assert PAIR.started_by(token) == numbers


def test_a_token_may_begin_several_words():
    assert label_words(["positive", "possible"]).started_by("pos") == (0, 1)


@pytest.mark.parametrize(
    "names",
    [
        ("LABEL_0", "LABEL_1"),
        ("very good", "very bad"),
        ("pos", "positive"),
        ("1", "10"),
        ("Good", "good-ish"),
    ],
)
def test_words_that_every_tokenizer_begins_alike_are_refused(names):
    with pytest.raises(ConfigError, match=r"begin with the same token.* --label-word .*=WORD, or use --prob"):
        label_words(names).require_distinct_beginnings()


@pytest.mark.parametrize(
    "names", [("positive", "negative"), ("entailment", "not_entailment"), ("1", "2"), ("a b", "c b")]
)
def test_other_words_are_not(names):
    label_words(names).require_distinct_beginnings()


def test_another_word_for_a_label_settles_it():
    words = label_words(["LABEL_0", "LABEL_1"], {"LABEL_0": "bad", "LABEL_1": "good"})
    words.require_distinct_beginnings()
    assert words.read("good") == 1
    assert words.read("LABEL_1") is None


@pytest.mark.parametrize(
    ("names", "renamed", "error", "match"),
    [
        (["a"], {}, ConfigError, r"^there are 1 labels \(a\)"),
        ([], {}, ConfigError, r"^there are 0 labels \(none\)"),
        (["a", " "], {}, ConfigError, r"one of the labels is blank"),
        (["a", "A"], {}, ConfigError, r"the labels 'a' and 'A' are alike"),
        (["a", "b"], {"b": "a"}, ConfigError, r"the words of labels 'a' and 'a' are alike"),
        (["good", "bad"], {"god": "x"}, UnknownNameError, r"no label is called 'god'. Did you mean 'good'"),
    ],
)
def test_labels_that_cannot_be_told_apart_are_refused(names, renamed, error, match):
    with pytest.raises(error, match=match):
        label_words(names, renamed)
