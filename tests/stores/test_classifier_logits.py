"""Stored logits: what was computed is what is read, from other inputs nothing is read."""

from dataclasses import replace

import numpy as np
import pytest

from lmdistill.core.errors import RunError
from lmdistill.stores import classifier_logits
from lmdistill.stores.classifier_logits import LOGITS, logits_manifest, stored_logits
from lmdistill.stores.manifest import MANIFEST, require_store

WANTED = logits_manifest(model="m", tokenizer="t", texts="x", max_length=8, rows=50, labels=("a", "b", "c"))
TRUE = np.random.default_rng(0).normal(size=(50, 3)).astype(np.float32)


class Teacher:
    """Counts the rows that it is asked about, and may be killed."""

    def __init__(self, most=None):
        self.asked, self._most = [], most

    def __call__(self, first, last):
        if self._most is not None and len(self.asked) == self._most:
            raise KeyboardInterrupt
        self.asked.append((first, last))
        return TRUE[first:last]


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch):
    monkeypatch.setattr(classifier_logits, "CHUNK", 8)


def test_logits_are_computed_once_and_mapped_from_disk(tmp_path):
    first, second = Teacher(), Teacher()
    assert np.array_equal(stored_logits(tmp_path / "s", WANTED, first), TRUE)
    found = stored_logits(tmp_path / "s", WANTED, second)
    assert isinstance(found, np.memmap)
    assert not found.flags.writeable
    assert np.array_equal(found, TRUE)
    assert (len(first.asked), second.asked) == (7, [])
    assert sorted(path.name for path in (tmp_path / "s").iterdir()) == [LOGITS, MANIFEST]


@pytest.mark.parametrize("done", [0, 1, 4, 6])
def test_a_killed_command_goes_on_after_its_last_chunk(tmp_path, done):
    with pytest.raises(KeyboardInterrupt):
        stored_logits(tmp_path / "s", WANTED, Teacher(most=done))
    (part,) = (tmp_path / "s").glob("*.part")
    with part.open("ab") as file:
        file.write(b"cut")  # in the middle of a row
    rest = Teacher()
    assert np.array_equal(stored_logits(tmp_path / "s", WANTED, rest), TRUE)
    assert rest.asked[0][0] == 8 * done


@pytest.mark.parametrize(
    ("field", "value"),
    [("model", "other"), ("tokenizer", "other"), ("texts", "other"), ("max_length", 9), ("rows", 49),
     ("dtype", "float16"), ("settings", {"labels": ["b", "a", "c"]})],
)  # fmt: skip
def test_a_store_of_something_else_is_refused_with_the_field_that_differs(tmp_path, field, value):
    stored_logits(tmp_path / "s", WANTED, Teacher())
    other = replace(WANTED, **{field: value})
    with pytest.raises(RunError, match=rf"is of other outputs: {field} is .* there and .* here"):
        stored_logits(tmp_path / "s", other, Teacher(), on_damage="refuse")
    require_store(tmp_path / "s", WANTED)


@pytest.mark.parametrize("name", [LOGITS, MANIFEST])
def test_a_damaged_store_is_made_again_or_refused(tmp_path, name, caplog):
    stored_logits(tmp_path / "s", WANTED, Teacher())
    path = tmp_path / "s" / name
    content = path.read_bytes()
    path.write_bytes(content[:-2] + bytes([content[-2] ^ 1]) + content[-1:])
    with pytest.raises(RunError, match=r"damaged"):
        stored_logits(tmp_path / "s", WANTED, Teacher(), on_damage="refuse")
    again = Teacher()
    assert np.array_equal(stored_logits(tmp_path / "s", WANTED, again), TRUE)
    assert len(again.asked) == 7
    assert "It is made again." in caplog.text
