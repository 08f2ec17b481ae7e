"""Bad recipes and files by the hundred: exit code 2 and one line each, or a run that begins to train."""

import json
import random
from itertools import product

import pytest
import yaml

from lmdistill.core.errors import RunError
from tests.cli.conftest import run
from tests.torture.project import RECIPES, prepare

pytestmark = pytest.mark.torture

INPUTS = 300
REACHED = "the training was reached"

VALUES = [
    None, True, "", "x", "\x1b[31mred", "two\nlines", "a\x00b", -1, 0, 0.5, 10**30, float("nan"), float("inf"),
    -float("inf"), [], [1], {}, {"name": "x"}, "../../etc/passwd", "CON", "9" * 6000, "\ud800",
]  # fmt: skip


def fields(table: dict, path: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    """The paths of all keys of nested tables."""
    return [
        found
        for key, value in table.items()
        for found in [(*path, key), *(fields(value, (*path, key)) if isinstance(value, dict) else [])]
    ]


def put(table: dict, path: tuple[str, ...], value: object) -> dict:
    """A deep copy with one value replaced."""
    copied = {
        key: put(inner, path[1:], value) if key == path[0] and len(path) > 1 else inner
        for key, inner in table.items()
    }
    return copied if len(path) > 1 else {**copied, path[0]: value}


CASES = random.Random(0).sample(
    [
        (name, path, value)
        for name, recipe in RECIPES.items()
        for path, value in product(fields(recipe), VALUES)
    ],
    INPUTS - 100,
)

BLOBS = [
    b"", b"\n", b"\x00" * 100, b"\xff\xfe\x00", b"text,label", b"text,label\n", b"text,label\na", b"label\n1\n2\n",
    b'text,label\n"a,b\n', b"text;label\na;b\n", b"a,a\n1,2\n", b"text,label\na,b\na,b\n", b"text,label\n,b\nx,c\n",
    b"text,label\nx,\ny,b\n", b"[1, 2]", b"[" * 100_000, b'{"a": ' * 50_000, b"9" * 6000, b'{"text": "\\ud800", "label": 1}\n',
    b'{"text": 1, "label": 2}\n', b'{"text": "a"}\n{"text": "b"}\n', b'{"text": null, "label": 1}\n', b"PAR1", b"PAR1" + b"\x00" * 50 + b"PAR1",
    b"\x1f\x8b\x08\x00broken", b"PK\x03\x04broken", "text,label\nü,é\n".encode("latin-1"), b"text\tlabel\na\tb\n",
    ("text,label\n" + "x" * 200_000 + ",a\ny,b\n").encode(), b"text,label\n" + b"word,1\n" * 3,
]  # fmt: skip
NAMES = [
    "rows.csv",
    "rows.tsv",
    "rows.jsonl",
    "rows.json",
    "rows.parquet",
    "rows.txt",
    "rows.csv.gz",
    "rows.zip",
    "rows",
]
FILES = random.Random(1).sample(list(product(BLOBS, NAMES, ("kd", "language"))), 100)


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    folder = tmp_path_factory.mktemp("bad") / "place"
    prepare(folder)
    return folder


@pytest.fixture(autouse=True)
def no_training(monkeypatch, place):
    """Training ends in a line of its own, so that what a recipe can be used for is not done."""

    def reached(*arguments, **named):
        raise RunError(REACHED)

    monkeypatch.setattr("lmdistill.runs.stage.train", reached)
    monkeypatch.chdir(place)


def assert_one_line(done):
    lines = [line for line in done.err.splitlines() if line.startswith("error:")]
    assert done.code == 2, done.err
    assert len(lines) == 1, done.err
    assert "Traceback" not in done.err
    assert "a bug in lmdistill" not in done.err
    assert "\x1b[31m" not in done.err


@pytest.mark.parametrize("number", range(len(CASES)))
def test_a_bad_value_of_a_recipe_is_one_line(number, tmp_path):
    name, path, value = CASES[number]
    (tmp_path / "bad.yaml").write_text(
        yaml.dump(put(RECIPES[name], path, value), sort_keys=False, allow_unicode=False)
    )
    assert_one_line(run("distill", str(tmp_path / "bad.yaml"), "--out", str(tmp_path / "out")))


@pytest.mark.parametrize("number", range(len(FILES)))
def test_a_bad_file_of_texts_is_one_line(number, tmp_path):
    blob, file, kind = FILES[number]
    (tmp_path / file).write_bytes(blob)
    key = "texts" if kind == "language" else "data"
    recipe = put(RECIPES[kind], (key, "source"), str(tmp_path / file))
    (tmp_path / "bad.yaml").write_text(json.dumps(recipe))
    assert_one_line(run("distill", str(tmp_path / "bad.yaml"), "--out", str(tmp_path / "out")))
