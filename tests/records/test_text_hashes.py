"""The file of hashes: what is written is read, and a damaged one is one line."""

import pickle
import zipfile

import numpy as np
import pytest

from lmdistill.core.errors import DataError
from lmdistill.records.seen_texts import seen_texts
from lmdistill.records.text_hashes import TEXT_HASHES, read_text_hashes, write_text_hashes


def hashes(*numbers):
    return np.array(numbers, dtype=np.uint64)


def test_groups_are_sorted_without_repeats_and_empty_ones_are_left_out(tmp_path):
    write_text_hashes(
        tmp_path, {"train": [hashes(5, 2**64 - 1), hashes(5, 1)], "dev": [hashes()], "teacher": []}
    )
    found = read_text_hashes(tmp_path)
    assert {name: one.tolist() for name, one in found.items()} == {"train": [1, 5, 2**64 - 1]}
    first = (tmp_path / TEXT_HASHES).read_bytes()
    write_text_hashes(tmp_path, {"train": [hashes(1, 5, 2**64 - 1)]})
    assert (tmp_path / TEXT_HASHES).read_bytes() == first
    assert [path.name for path in tmp_path.iterdir()] == [TEXT_HASHES]


def test_a_folder_without_the_file_has_none(tmp_path):
    assert read_text_hashes(tmp_path) is None
    assert seen_texts(tmp_path) == {}


class Trap:
    """Unpickling it is seen."""

    def __reduce__(self):
        return pytest.fail, ("it was unpickled",)


def objects(path):
    path.write_bytes(b"")
    with zipfile.ZipFile(path, "w") as archive, archive.open("train.npy", "w") as file:
        np.lib.format.write_array(file, np.array([Trap()], dtype=object), allow_pickle=True)


DAMAGE = {
    "cut": lambda path: path.write_bytes(path.read_bytes()[:-30]),
    "empty": lambda path: path.write_bytes(b""),
    "text": lambda path: path.write_text("hashes"),
    "pickle": lambda path: path.write_bytes(pickle.dumps(Trap())),
    "objects": objects,
    "another type": lambda path: np.savez(path, train=np.array([1.5])),
    "two axes": lambda path: np.savez(path, train=np.zeros((2, 2), dtype=np.uint64)),
    "one array": lambda path: path.write_bytes(npy()),
}


def npy():
    import io

    file = io.BytesIO()
    np.save(file, hashes(1, 2))
    return file.getvalue()


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_file_is_one_line(damage, tmp_path):
    write_text_hashes(tmp_path, {"train": [hashes(*range(50))]})
    DAMAGE[damage](tmp_path / TEXT_HASHES)
    with pytest.raises(
        DataError, match=r"text_hashes\.npz (cannot be read|holds no hashes of texts).*Remove it"
    ):
        read_text_hashes(tmp_path)


def test_those_of_a_student_are_those_of_its_run(tmp_path):
    student, other = tmp_path / "student", tmp_path / "other"
    student.mkdir()
    other.mkdir()
    write_text_hashes(tmp_path, {"train": [hashes(7)]})
    assert seen_texts(student)["train"].tolist() == [7]
    assert seen_texts(other) == {}  # a model beside a run is not of the run
    write_text_hashes(student, {"train": [hashes(8)]})
    assert seen_texts(student)["train"].tolist() == [8]
