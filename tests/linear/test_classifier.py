"""Files of a linear model: the same outputs after loading, and one line for a damaged file."""

import json

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression

from lmdistill.core.errors import MismatchError, ModelError
from lmdistill.linear.classifier import LinearClassifier, load_linear, save_linear
from lmdistill.linear.features import learn_features
from lmdistill.linear.fit import fit
from lmdistill.linear.targets import mixed_targets

TEXTS = [
    "good film",
    "bad film",
    "fine ünïcode plot",
    "dull 東京",
    "",
    "a very good cast",
    "it was bad bad bad",
]
LABELS = np.array([1, 0, 1, 0, 0, 1, 0])
NAMES = ("negative", "positive")


def trained(labels=NAMES, *, second=None, characters=(2, 3)):
    features, rows = learn_features(
        TEXTS, second, words=(1, 2), characters=characters, sublinear=False, most=999
    )
    values = np.eye(len(labels))[LABELS] if labels else LABELS.astype(float)[:, None]
    found = fit(rows, mixed_targets(values, None, alpha=0.0), C=3.0)
    return LinearClassifier(
        features=features,
        coefficients=found.coefficients.astype(np.float32),
        intercept=found.intercept.astype(np.float32),
        labels=tuple(labels),
    )


@pytest.mark.parametrize(
    ("labels", "second"), [(NAMES, None), ((*NAMES, "none"), None), ((), None), (NAMES, TEXTS[::-1])]
)
def test_a_loaded_model_gives_the_same_bits(tmp_path, labels, second):
    model = trained(labels, second=second)
    save_linear(model, tmp_path / "student")
    again = load_linear(tmp_path / "student")
    np.testing.assert_array_equal(again.logits(TEXTS, second), model.logits(TEXTS, second))
    assert again.labels == model.labels
    assert again.fingerprint == model.fingerprint
    assert sorted(path.name for path in (tmp_path / "student").iterdir()) == [
        "model.safetensors",
        "tfidf.json",
    ]


def test_predictions_are_those_of_a_pipeline_of_scikit_learn():
    vectorizer = TfidfVectorizer(ngram_range=(1, 2))
    rows = vectorizer.fit_transform(TEXTS)
    theirs = LogisticRegression(C=3.0, tol=1e-10, max_iter=10_000).fit(rows, LABELS)
    ours = trained(characters=None)
    other = ["never seen", "good bad film", *TEXTS]
    want = theirs.predict_proba(vectorizer.transform(other))
    np.testing.assert_allclose(ours.probabilities(other), want, atol=1e-5)


def test_other_weights_have_another_fingerprint():
    model = trained()
    other = LinearClassifier(**{**vars(model), "intercept": model.intercept + 1})
    renamed = LinearClassifier(**{**vars(model), "labels": NAMES[::-1]})
    assert len({model.fingerprint, other.fingerprint, renamed.fingerprint, trained().fingerprint}) == 3


def test_scores_have_no_probabilities_and_pairs_need_both_texts():
    with pytest.raises(ModelError, match=r"gives scores and no probabilities\. Use logits\.$"):
        trained(()).probabilities(["good"])
    with pytest.raises(MismatchError, match=r"reads single texts, got pairs of texts\. Name one column\.$"):
        trained().logits(["good"], ["bad"])
    with pytest.raises(MismatchError, match=r"reads pairs of texts, got single texts\. Name both columns\.$"):
        trained(second=TEXTS).logits(["good"])


def edited(**changes):
    def edit(folder):
        path = folder / "tfidf.json"
        path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))

    return edit


def array(name, change):
    def edit(folder):
        arrays = load_file(folder / "model.safetensors")
        arrays[name] = change(arrays[name])
        save_file(arrays, folder / "model.safetensors")

    return edit


def block(**changes):
    def edit(folder):
        blocks = json.loads((folder / "tfidf.json").read_text())["blocks"]
        edited(blocks=[{**blocks[0], **changes}, *blocks[1:]])(folder)

    return edit


DAMAGE = {
    "no JSON": (lambda folder: (folder / "tfidf.json").write_text("{"), "can be read"),
    "deep JSON": (lambda folder: (folder / "tfidf.json").write_text("[" * 100_000), "can be read"),
    "no weights": (lambda folder: (folder / "model.safetensors").unlink(), "can be read"),
    "cut weights": (lambda folder: (folder / "model.safetensors").write_bytes(b"12345"), "can be read"),
    "another format": (edited(format=2), "format is 2, and this version reads 1"),
    "a list": (lambda folder: (folder / "tfidf.json").write_text("[]"), "can be read"),
    "more labels": (edited(labels=["a", "b", "c"]), r"coefficients has the shape \(\d+, 1\) .* asks for \(\d+, 3\)"),
    "pairs": (edited(pairs=True), "coefficients has the shape"),
    "an n-gram twice": (block(terms=["bad"] * 3), "an n-gram occurs twice"),
    "huge n-grams": (block(sizes=[1, 10**9]), "there are no n-grams of"),
    "another unit": (block(unit="bytes"), "there are no n-grams of"),
    "a missing n-gram": (block(terms=["bad"]), "idf.words has the shape"),
    "an unknown key": (block(code="os.system"), "can be read"),
    "NaN": (array("coefficients", lambda values: values * np.nan), "coefficients has values that are no numbers"),
}  # fmt: skip


@pytest.mark.parametrize("name", DAMAGE)
def test_damaged_files_are_refused_in_one_line(tmp_path, name):
    damage, said = DAMAGE[name]
    save_linear(trained(), tmp_path / "student")
    damage(tmp_path / "student")
    with pytest.raises(ModelError, match=said) as caught:
        load_linear(tmp_path / "student")
    assert "\n" not in str(caught.value)
    assert str(caught.value).endswith("un again.")


def test_a_folder_without_a_linear_model_is_named(tmp_path):
    with pytest.raises(
        ModelError, match=r"holds no linear model: it has no tfidf\.json\. Name student in a run folder\.$"
    ):
        load_linear(tmp_path)
