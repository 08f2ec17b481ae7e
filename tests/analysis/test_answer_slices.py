import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lmdistill.analysis.answer_slices import (
    BIN_NAMES,
    CONFIDENCES,
    LENGTHS,
    bins,
    histograms,
    reference_counts,
    slice_members,
)

TEXT = st.tuples(
    st.booleans(),
    st.sampled_from(["no", "yes", "maybe"]),
    st.floats(0, 1),
    st.integers(0, 2000),
    st.booleans(),
)


def arrays(texts: list[tuple[bool, str, float, int, bool]], threshold: float = 0.9) -> dict[str, object]:
    agreed, classes, confidence, tokens, unknown = (list(column) for column in zip(*texts, strict=True))
    return {
        "agreed": np.array(agreed),
        "answered": np.array(confidence) >= threshold,
        "classes": classes,
        "confidence": np.array(confidence),
        "tokens": np.array(tokens),
        "unknown": np.array(unknown),
    }


@given(st.lists(TEXT, min_size=1))
def test_each_text_is_in_one_slice_of_every_kind(texts: list[tuple[bool, str, float, int, bool]]) -> None:
    slices, counts = reference_counts(**arrays(texts))  # type: ignore[arg-type]
    all_texts, agreed = slices["all"]["all"]
    assert (all_texts, agreed) == (len(texts), sum(text[0] for text in texts))
    for kind in ("class", "length", "confidence"):
        assert sum(number for number, _ in slices[kind].values()) == all_texts
        assert sum(number for _, number in slices[kind].values()) == agreed
    for kind in ("length", "confidence"):
        assert [number for number, _ in slices[kind].values()] == [one for one in counts[kind] if one]
    assert counts["unknown"] == (all_texts - counts["unknown"][1], sum(text[4] for text in texts))


@given(st.lists(TEXT, min_size=1), st.randoms())
def test_the_order_of_texts_does_not_matter(texts: list[tuple[bool, str, float, int, bool]], random) -> None:  # type: ignore[no-untyped-def]
    shuffled = list(texts)
    random.shuffle(shuffled)
    assert reference_counts(**arrays(texts)) == reference_counts(**arrays(shuffled))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("tokens", "name"),
    [(0, "1 to 8 tokens"), (8, "1 to 8 tokens"), (9, "9 to 16 tokens"), (512, "257 to 512 tokens")],
)
def test_a_length_is_in_the_bin_that_is_named_after_it(tokens: int, name: str) -> None:
    found = bins(confidence=np.array([1.0]), tokens=np.array([tokens]), unknown=np.array([False]))
    assert BIN_NAMES["length"][found["length"][0]] == name


@pytest.mark.parametrize(
    ("confidence", "name"),
    [(0.0, "below 0.5"), (0.5, "0.5 to 0.6"), (0.9, "0.9 to 0.95"), (0.999, "0.999 to 1"), (1, "0.999 to 1")],
)
def test_a_confidence_is_in_the_bin_that_starts_at_or_below_it(confidence: float, name: str) -> None:
    found = bins(
        confidence=np.array([confidence], dtype=float), tokens=np.array([1]), unknown=np.array([False])
    )
    assert BIN_NAMES["confidence"][found["confidence"][0]] == name


def test_every_bin_has_one_name() -> None:
    assert len(set(BIN_NAMES["length"])) == len(LENGTHS) + 1
    assert len(set(BIN_NAMES["confidence"])) == len(CONFIDENCES) + 1


def test_a_slice_without_texts_is_left_out_but_all_and_answered_stay() -> None:
    slices, counts = reference_counts(**arrays([(True, "yes", 0.2, 5, False)]))  # type: ignore[arg-type]
    assert slices == {
        "all": {"all": (1, 1)},
        "answered": {"answered": (0, 0)},
        "class": {"yes": (1, 1)},
        "length": {"1 to 8 tokens": (1, 1)},
        "confidence": {"below 0.5": (1, 1)},
    }
    assert counts["confidence"] == (1, *[0] * len(CONFIDENCES))


def test_no_texts_at_all_have_no_slices_but_the_two() -> None:
    nothing = np.zeros(0, dtype=bool)
    bin_of = bins(confidence=np.zeros(0), tokens=np.zeros(0, dtype=int), unknown=nothing)
    members = slice_members(answered=nothing, classes=[], bin_of=bin_of)
    assert {kind: len(of_kind) for kind, of_kind in members.items()} == {
        "all": 1,
        "answered": 1,
        "class": 0,
        "length": 0,
        "confidence": 0,
    }
    assert histograms(bin_of)["unknown"] == (0, 0)
