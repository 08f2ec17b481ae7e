import contextlib
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lmdistill.serving.request_body import BodyLimits, RefusedError, read_texts

SINGLE = BodyLimits(max_texts=3, max_characters=10, pairs=False)
PAIRS = BodyLimits(max_texts=3, max_characters=10, pairs=True)
EITHER = BodyLimits(max_texts=3, max_characters=10, pairs=None)


def body(value):
    return json.dumps(value).encode()


@pytest.mark.parametrize(
    ("content", "limits", "texts"),
    [
        ({"texts": ["a", ""]}, SINGLE, ["a", ""]),
        ({"text": "a\x00 é 😀"}, SINGLE, ["a\x00 é 😀"]),
        ({"texts": []}, SINGLE, []),
        ({"texts": [["a", "b"]]}, PAIRS, [("a", "b")]),
        ({"text": ["a", "b"]}, PAIRS, [("a", "b")]),
        ({"texts": ["a", ["a", "b"]]}, EITHER, ["a", ("a", "b")]),
        ({"text": "x" * 10}, SINGLE, ["x" * 10]),
        ({"text": ["x" * 5, "y" * 5]}, PAIRS, [("x" * 5, "y" * 5)]),
    ],
)
def test_texts_and_pairs_are_read(content, limits, texts):
    assert read_texts(body(content), limits) == texts


REFUSED = [
    (b"", SINGLE, 400, "the body is not JSON"),
    (b"{'texts': []}", SINGLE, 400, "the body is not JSON"),
    (b"\xff\xfe\x00", SINGLE, 400, "the body is not JSON"),
    (b"[" * 100_000, SINGLE, 400, "the body is not JSON"),
    (b'{"texts": ' + b"9" * 5000 + b"}", SINGLE, 400, "the body is not JSON"),
    (body(["a"]), SINGLE, 422, "the body is no JSON object"),
    (body({}), SINGLE, 422, "the body needs the key texts"),
    (body({"Texts": ["a"]}), SINGLE, 422, "the body needs the key texts"),
    (body({"texts": ["a"], "text": "b"}), SINGLE, 422, "no other key"),
    (body({"texts": ["a"], "graph": "onnx"}), SINGLE, 422, "no other key"),
    (body({"texts": "a"}), SINGLE, 422, "texts is no list"),
    (body({"texts": None}), SINGLE, 422, "texts is no list"),
    (body({"texts": ["a", 1]}), SINGLE, 422, "text 2 is neither a string nor a list of two strings"),
    (body({"texts": [["a"]]}), PAIRS, 422, "text 1 is neither a string nor"),
    (body({"texts": [["a", None]]}), PAIRS, 422, "text 1 is neither a string nor"),
    (
        body({"texts": ["a", ["a", "b"]]}),
        SINGLE,
        422,
        "text 2 is a pair, and the model was trained on single",
    ),
    (body({"text": "a"}), PAIRS, 422, "text 1 is a single text, and the model was trained on pairs"),
    (body({"texts": ["a"] * 4}), SINGLE, 413, "the request has 4 texts, and 3 are allowed"),
    (body({"text": "x" * 11}), SINGLE, 413, "text 1 has 11 characters, and 10 are allowed"),
    (body({"text": ["x" * 6, "y" * 5]}), PAIRS, 413, "text 1 has 11 characters, and 10 are allowed"),
    (b'{"text": "a\\ud800"}', SINGLE, 422, "text 1 has half of a surrogate pair"),
    (b'{"text": ["a", "\\udfff"]}', PAIRS, 422, "text 1 has half of a surrogate pair"),
]


@pytest.mark.parametrize(("content", "limits", "status", "said"), REFUSED)
def test_what_cannot_be_answered_is_refused_with_a_sentence(content, limits, status, said):
    with pytest.raises(RefusedError) as found:
        read_texts(content, limits)
    assert found.value.status == status
    assert found.value.sentence.startswith(said) or said in found.value.sentence
    assert "\n" not in found.value.sentence
    assert found.value.sentence.endswith(".")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(["text", "texts", "a"]), inner)
    ),
    max_leaves=8,
)


@settings(max_examples=50)
@given(st.binary(max_size=60) | JSON.map(body), st.sampled_from([SINGLE, PAIRS, EITHER]))
def test_any_body_is_read_or_refused(content, limits):
    with contextlib.suppress(RefusedError):
        texts = read_texts(content, limits)
        assert all(isinstance(text, str | tuple) for text in texts)
        "".join(part for text in texts for part in ([text] if isinstance(text, str) else text)).encode()


@given(st.text(alphabet="sekrt", min_size=12, max_size=12))
def test_no_text_of_a_request_is_in_its_refusal(secret):
    for content in ({"text": secret}, {"texts": [{"a": secret}]}, {secret: 1}, secret, {"texts": secret}):
        with pytest.raises(RefusedError) as found:
            read_texts(body(content), SINGLE)
        assert secret not in found.value.sentence
