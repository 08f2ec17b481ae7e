"""The examples of a recipe: how many variants an augmentation adds."""

import json
from dataclasses import dataclass

import pytest

from lmdistill.core.errors import ConfigError
from lmdistill.recipes.augmentation import Augmentation
from lmdistill.recipes.classifier import Data
from lmdistill.runs.classification.data import load_examples

ROWS = 20


@dataclass(frozen=True, kw_only=True)
class Numbered:
    """An augmenter that appends the number of the copy."""

    name: str = "numbered"
    varied: bool = True
    identity: str = "numbered"

    def __call__(self, texts, copies=None):
        return [f"{text} {copy}" if text else "" for text, copy in zip(texts, copies, strict=True)]


@pytest.fixture
def own(tmp_path):
    lines = [{"text": f"a film about number{n}", "label": ("bad", "good")[n % 2]} for n in range(ROWS + 6)]
    for name, part in (("train", lines[:ROWS]), ("dev", lines[ROWS:])):
        (tmp_path / f"{name}.jsonl").write_text("\n".join(map(json.dumps, part)))
    (tmp_path / "more.jsonl").write_text(
        "\n".join(json.dumps({"text": f"words of the {n}th page"}) for n in range(10))
    )
    return tmp_path


def rows_of(folder, augmentation, **data):
    chosen = Data(
        source=str(folder / "train.jsonl"), dev=str(folder / "dev.jsonl"), augmentation=augmentation, **data
    )
    return load_examples("own", chosen, cache=folder / "augmented")


@pytest.mark.parametrize(
    ("up_to", "copies"),
    [(None, 5), (1000, 5), (120, 5), (119, 4), (60, 2), (59, 1), (40, 1), (39, 0), (1, 0)],
)
def test_variants_stay_within_the_limit(own, up_to, copies):
    found = rows_of(own, Augmentation(augmenter=Numbered(), copies=5, up_to=up_to))
    assert found.original.train.num_rows == ROWS
    assert found.whole.train.num_rows == ROWS * (1 + copies)
    assert copies or f"no variants by numbered: {ROWS} rows, and up_to is {up_to}" in found.whole.notes


def test_texts_without_labels_count_towards_the_limit(own):
    more = (str(own / "more.jsonl"),)
    augmentation = Augmentation(augmenter=Numbered(), copies=5, rows="all", labels="teacher", up_to=90)
    found = rows_of(own, augmentation, unlabelled=more)
    assert found.whole.train.num_rows == 90  # 20 with labels, 10 without, and two variants of each
    only_labelled = rows_of(own, Augmentation(augmenter=Numbered(), copies=5, up_to=90), unlabelled=more)
    assert only_labelled.whole.train.num_rows == 90  # three variants of the 20


def test_a_limit_below_one_is_refused():
    with pytest.raises(ConfigError, match=r"^up_to must be >= 1, got 0\.$"):
        Augmentation(augmenter=Numbered(), up_to=0)
