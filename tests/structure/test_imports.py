"""Arrows point down, and every foreign library has its own door: two tables, argued in review."""

import ast
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

PACKAGE = "lmdistill"
ROOT = Path(__file__).parents[2] / "src" / PACKAGE

INSIDE: Mapping[str, set[str]] = {
    "core": set(),
    "metrics": {"core"},
    "objectives": {"core"},
    "schedules": {"core"},
    "data": {"core", "metrics"},
    "records": {"core", "metrics"},
    "stores": {"core"},
    "models": {"core", "objectives", "records"},
    "linear": {"core", "records"},
    "methods": {"core", "objectives", "schedules", "data.mixup"},
    "engine": {"core", "schedules"},
    "evaluation": {"core", "metrics", "objectives", "records"},
    "analysis": {"core", "metrics", "records", "schedules"},
    "labelling": {"core", "metrics", "data", "evaluation"},
    "export": {"core", "models"},
    "serving": {"core", "metrics", "records"},
    "report": {"core", "metrics", "schedules", "records", "analysis", "serving"},
    "recipes": {"core", "data", "engine", "evaluation", "methods", "schedules"},
    "runs": {
        "core",
        "objectives",
        "schedules",
        "data",
        "records",
        "linear",
        "metrics",
        "stores",
        "labelling",
        "models",
        "methods",
        "engine",
        "evaluation",
        "analysis",
        "export",
        "report",
        "recipes",
    },
    "studies": {"core", "engine", "records", "analysis", "serving", "recipes", "runs"},
    "commands": {
        "core",
        "metrics",
        "schedules",
        "data",
        "records",
        "analysis",
        "linear",
        "models",
        "methods",
        "engine",
        "evaluation",
        "labelling",
        "export",
        "report",
        "serving",
        "recipes",
        "runs",
        "studies",
    },
    "api": {
        "core",
        "data",
        "records",
        "linear",
        "models",
        "methods",
        "engine",
        "evaluation",
        "recipes",
        "runs",
    },
    "cli": {
        "core",
        "records",
        "analysis",
        "labelling",
        "report",
        "recipes",
        "runs",
        "studies",
        "commands",
        "api",
        "serving",
    },
}

OUTSIDE: Mapping[str, set[str]] = {
    "core": {"torch", "numpy", "jaxtyping", "filelock", "rich"},
    "metrics": {"numpy", "jaxtyping"},
    "objectives": {"torch", "jaxtyping"},
    "schedules": set(),
    "data": {"torch", "numpy", "scipy", "jaxtyping", "jinja2", "datasets", "tokenizers", "transformers"},
    "records": {"numpy", "jaxtyping", "pyarrow", "pydantic"},
    "stores": {"numpy", "jaxtyping"},
    "models": {"torch", "jaxtyping", "transformers", "safetensors", "huggingface_hub"},
    "linear": {"numpy", "scipy", "sklearn", "safetensors", "jaxtyping"},
    "methods": {"torch", "jaxtyping"},
    "engine": {"torch", "accelerate", "safetensors"},
    "evaluation": {"torch", "numpy", "scipy", "sklearn", "jaxtyping"},
    "analysis": {"numpy", "scipy", "jaxtyping"},
    "labelling": {"numpy", "scipy", "jaxtyping"},
    "export": {"torch", "transformers", "safetensors", "numpy", "jaxtyping"},
    "serving": {"numpy", "jaxtyping", "pydantic"},
    "report": {"numpy", "jinja2", "matplotlib"},
    "recipes": {"pydantic", "pydantic_core", "yaml"},
    "runs": {"jaxtyping", "numpy", "torch", "yaml"},
    "studies": {"pydantic", "yaml"},
    "commands": {"jaxtyping", "numpy", "scipy", "torch", "yaml"},
    "api": set(),
    "cli": {"typer", "rich"},
}

EXTRAS: Mapping[str, set[str]] = {
    "data.augment": {"nltk"},
    "export.depth_cut": {"onnx"},
    "export.onnx_graph": {"onnx", "onnxruntime", "onnxscript"},
    "core.openvino_runtime": {"openvino"},
    "export.openvino_graph": {"nncf"},
    "serving.predictor": {"tokenizers"},
    "serving.runtimes": {"onnxruntime"},
    "serving.http_server": {"fastapi", "starlette", "uvicorn"},
    "serving.server_metrics": {"prometheus_client"},
    "evaluation.lm_eval_harness": {"lm_eval"},
    "evaluation.generation_quality": {"rouge_score"},
    "labelling.api_client": {"openai"},
    "models.lora": {"peft"},
    "studies.search.optuna_storage": {"optuna", "sqlalchemy"},
}  # optional packages, and the only ones who may ask for them

FILES = sorted(path for path in ROOT.rglob("*.py") if path.parent != ROOT)


def imported(code: str) -> Iterator[str]:
    """Modules that a file imports, also inside functions; names taken from a package count as its modules."""
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"line {node.lineno}: write absolute imports"
            assert node.module is not None
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def covers(entries: set[str], module: str) -> bool:
    return any(module == entry or module.startswith(entry + ".") for entry in entries)


def wrong_arrows(place: str, code: str) -> list[str]:
    """What the file at `place` (dots, without the package's name) imports against the tables."""
    part, wrong = place.split(".")[0], []
    extras = {name for asker, names in EXTRAS.items() if covers({asker}, place) for name in names}
    for module in imported(code):
        top, _, rest = module.partition(".")
        if top == PACKAGE:
            if not covers(INSIDE[part] | {part}, rest):
                wrong.append(
                    f"{place} imports {module}; {part} may import only {sorted(INSIDE[part])}. "
                    "Move the shared part down, or pass it in as an argument."
                )
        elif top not in sys.stdlib_module_names and top not in OUTSIDE[part] | extras:
            wrong.append(f"{place} imports {top}; {part} may use only {sorted(OUTSIDE[part] | extras)}.")
    return wrong


def place_of(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


@pytest.mark.parametrize("path", FILES, ids=place_of)
def test_arrows_point_down(path: Path) -> None:
    assert wrong_arrows(place_of(path), path.read_text()) == []


@pytest.mark.parametrize("path", sorted(ROOT.glob("*.py")), ids=lambda path: path.name)
def test_the_face_of_the_package_imports_only_the_package(path: Path) -> None:
    foreign = {module.split(".")[0] for module in imported(path.read_text())} - {PACKAGE}
    assert foreign <= sys.stdlib_module_names, f"{path.name} imports {sorted(foreign)}"


def test_no_part_knows_the_face_of_the_package() -> None:
    faces = [
        path for path in FILES if any(module.count(".") == 0 and module == PACKAGE for module in _plain(path))
    ]
    assert faces == [], "import the part that is meant; the package's own __init__ stands above all parts"


def _plain(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)


def test_the_table_has_no_cycle() -> None:
    done: set[str] = set()
    while len(done) < len(INSIDE):
        ready = {
            part for part, below in INSIDE.items() if {name.split(".")[0] for name in below} <= done
        } - done
        assert ready, f"a cycle among {sorted(set(INSIDE) - done)}"
        done |= ready


def test_every_part_stands_in_both_tables() -> None:
    parts = {path.name for path in ROOT.iterdir() if (path / "__init__.py").exists()}
    assert parts == set(INSIDE) == set(OUTSIDE)


def test_no_folder_of_code_lacks_its_init() -> None:
    folders = {path.parent for path in ROOT.rglob("*.py")}
    assert [str(folder) for folder in folders if not (folder / "__init__.py").exists()] == []


@pytest.mark.parametrize(
    ("place", "code"),
    [
        ("methods.kd", "from lmdistill.data.tasks.collator import Collate"),
        ("methods.kd", "from lmdistill import data"),
        ("report.tables.quality", "import torch"),
        ("models.loading.classifier", "def f():\n    from lmdistill.data.tasks.task_spec import TASKS"),
        ("engine.fit", "import transformers.trainer"),
        ("data.tasks.tokenization", "import nltk"),
        ("core.batch", "import lmdistill"),
    ],
)
def test_the_check_sees_a_wrong_arrow(place: str, code: str) -> None:
    assert len(wrong_arrows(place, code)) == 1


@pytest.mark.parametrize(
    ("place", "code"),
    [
        ("methods.mixkd", "from lmdistill.data.mixup import stack_inputs"),
        ("methods.mixkd", "from lmdistill.data import mixup"),
        ("data.augment.wordnet", "def f():\n    import nltk.corpus"),
        ("core.errors", "import json, difflib"),
    ],
)
def test_the_check_lets_a_right_arrow_pass(place: str, code: str) -> None:
    assert wrong_arrows(place, code) == []
