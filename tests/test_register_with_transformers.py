"""A folder with a class of ours loads without remote code after `import lmdistill`, whatever is imported first."""

import os
import subprocess
import sys

import pytest

from lmdistill.export.hugging_face import save
from lmdistill.models.pruning.families import Widths
from lmdistill.models.pruning.slicing import densify
from tests.models.narrow import LAYERS, wide

LOAD = """
import sys
from transformers import AutoModelForSequenceClassification
loaded = AutoModelForSequenceClassification.from_pretrained(sys.argv[1])
assert type(loaded).__module__ == "lmdistill.models.modeling_narrow", type(loaded)
assert not any(type(finder).__module__ == "lmdistill.register_with_transformers" for finder in sys.meta_path)
"""

STAND_IN = "WITHOUT_CLASSES = True\n"
"""A package called transformers that `lmdistill.models` cannot use; it is imported in no time."""


def python(code, *arguments, folder, **variables):
    """What a fresh process printed."""
    call = [sys.executable, "-c", code, *arguments]
    done = subprocess.run(
        call,
        capture_output=True,
        text=True,
        cwd=folder,
        env={**os.environ, **variables},
        stdin=subprocess.DEVNULL,
    )
    assert done.returncode == 0, done.stderr
    return done


@pytest.fixture(scope="module")
def student(tmp_path_factory):
    folder = tmp_path_factory.mktemp("narrow") / "student"
    heads, neurons = (1,) + (2,) * (LAYERS - 1), (4,) + (8,) * (LAYERS - 1)
    save(densify(wide("bert"), Widths(heads=heads, neurons=neurons)), folder)
    return folder


@pytest.fixture
def stand_in(tmp_path):
    """A folder to start a process in, whose transformers is the one above."""
    (tmp_path / "transformers").mkdir()
    (tmp_path / "transformers/__init__.py").write_text(STAND_IN)
    return tmp_path


@pytest.mark.parametrize(
    "imports",
    [
        "import lmdistill",
        pytest.param("import transformers\nimport lmdistill", marks=pytest.mark.slow),
        pytest.param("from lmdistill import KD", marks=pytest.mark.slow),
    ],
    ids=["lmdistill first", "transformers first", "a name first"],
)
def test_a_narrow_student_loads_without_remote_code(imports, student, tmp_path):
    python(imports + LOAD, str(student), folder=tmp_path)


@pytest.mark.slow
def test_without_lmdistill_it_does_not_load(student, tmp_path):
    with pytest.raises(AssertionError, match="trust_remote_code"):
        python(LOAD, str(student), folder=tmp_path)


def test_looking_for_transformers_imports_nothing(tmp_path):
    python(
        "import importlib.util, sys, lmdistill\n"
        "assert importlib.util.find_spec('transformers').name == 'transformers'\n"
        "import json, xml, yaml\n"
        "assert not {'transformers', 'lmdistill.models'} & set(sys.modules)",
        folder=tmp_path,
    )


def test_transformers_can_be_imported_where_our_classes_cannot_be_registered(stand_in):
    done = python(
        "import lmdistill, transformers\nassert transformers.WITHOUT_CLASSES\nprint('fine')",
        folder=stand_in,
    )
    assert done.stdout == "fine\n"
    assert "lmdistill could not register its model classes" in done.stderr


def test_a_missing_transformers_is_missed_as_usual(tmp_path):
    code = "import sys, lmdistill\nsys.path = []\ntry:\n    import transformers\nexcept ModuleNotFoundError as error:\n    print(error)"
    assert python(code, folder=tmp_path).stdout == "No module named 'transformers'\n"
