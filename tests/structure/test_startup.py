"""What is imported before the first line of output: a table of commands, each run in a fresh process.

Times are not compared here, since they depend on the machine; `benchmarks/startup.py` measures them.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import typer

from lmdistill.cli.main import app

HEAVY = (
    "accelerate", "datasets", "jinja2", "matplotlib", "numpy", "pandas", "pyarrow", "scipy", "sklearn",
    "torch", "transformers",
)  # fmt: skip
"""Packages that take long to import, or that import such packages. Typer itself imports pydantic (0.05 s)."""

NOTHING: frozenset[str] = frozenset()
RECIPE = frozenset({"numpy", "torch"})  # a method's dataclass is its configuration

COMMANDS = {
    "--help": NOTHING,
    "--version": NOTHING,
    **{f"{name} --help": NOTHING for name in sorted(typer.main.get_command(app).commands)},
    **{f"list {kind}": NOTHING for kind in ("recipes", "studies", "methods", "tasks", "augmenters")},
    "list method": NOTHING,
    "distill demo --otu x": NOTHING,
    "distil demo": NOTHING,
    "--show-completion bash": NOTHING,
    "distill demo --out x --set training.epoch=3": RECIPE,
    "distill demo --out x --set method.name=mixkdd": RECIPE,
    "finetune nowhere --out x": RECIPE,
    "label x --out y.jsonl": NOTHING,
    "label x --out y.jsonl --teacher http://a --model m --labels LABEL_0,LABEL_1": NOTHING,
}  # fmt: skip
"""Command line to the heavy packages that it imports, no more and no fewer."""

RUN = f"""
import json, sys
from lmdistill.cli.main import main
try:
    main(sys.argv[1:])
except SystemExit:
    pass
print(json.dumps(sorted(sys.modules.keys() & {set(HEAVY)!r})))
"""


def python(code: str, *arguments: str, folder: Path, **variables: str) -> list[str]:
    """The lines that a fresh process prints."""
    environment = {name: value for name, value in os.environ.items() if name != "_LMDISTILL_COMPLETE"}
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        capture_output=True,
        text=True,
        cwd=folder,
        env={**environment, **variables},
        stdin=subprocess.DEVNULL,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_imports_what_the_table_says(command: str, tmp_path: Path) -> None:
    *_, last = python(RUN, *command.split(), folder=tmp_path)
    assert set(json.loads(last)) == COMMANDS[command]


def test_completion_imports_nothing_and_knows_the_commands(tmp_path: Path) -> None:
    asked = {"_LMDISTILL_COMPLETE": "complete_bash", "COMP_WORDS": "lmdistill fine", "COMP_CWORD": "1"}
    *words, last = python(RUN, folder=tmp_path, **asked)
    assert words == ["finetune"]
    assert json.loads(last) == []


def test_the_package_imports_nothing_heavy_and_names_are_imported_when_they_are_used(tmp_path: Path) -> None:
    shown = f"print(json.dumps(sorted(sys.modules.keys() & {set(HEAVY)!r})))"
    lines = python(
        f"import json, sys\nimport lmdistill as ld\n{shown}\nld.Training\n{shown}\n"
        f"from lmdistill import KD\n{shown}",
        folder=tmp_path,
    )
    assert [json.loads(line) for line in lines] == [[], [], ["numpy", "torch"]]


def test_the_check_sees_a_heavy_import(tmp_path: Path) -> None:
    *_, last = python(RUN.replace("import json", "import numpy, json"), "--version", folder=tmp_path)
    assert json.loads(last) == ["numpy"]
