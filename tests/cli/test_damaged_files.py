"""One byte of a finished run is changed: a command says the same as before, or one line and exit code 2."""

import random
import shutil
from pathlib import Path

import pytest

RUN = Path("runs/one")
COMMANDS = {
    "report": ("report", "runs/one", "--out", "page"),
    "predict": ("predict", "runs/one", "dev.csv", "--out", "answers.csv"),
    "evaluate": ("evaluate", "runs/one"),
}
WRITTEN = ("page/report.html", "answers.csv")


def said_by(lmdistill, name):
    """Exit code, stdout, errors, and the file that the command wrote."""
    for path in WRITTEN:
        Path(path).unlink(missing_ok=True)
    said = lmdistill(*COMMANDS[name])
    files = [Path(path).read_bytes() if Path(path).exists() else b"" for path in WRITTEN]
    return said.code, said.out, [line for line in said.err.splitlines() if line.startswith("error")], files


def files_of(run):
    return sorted(path.relative_to(run).as_posix() for path in run.rglob("*") if path.is_file())


@pytest.fixture
def damaged(finished, tmp_path, monkeypatch):
    """A copy of the finished run, so that others keep theirs."""
    for name in ("runs", "dev.csv", "texts.csv", "recipe.yaml"):
        source = finished / name
        (shutil.copytree if source.is_dir() else shutil.copy)(source, tmp_path / name)
    (tmp_path / "models").symlink_to((finished / "models").resolve())
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("seed", "commands"),
    [
        (0, ("report", "predict")),
        *(pytest.param(seed, tuple(COMMANDS), marks=pytest.mark.slow) for seed in range(1, 30)),
    ],
)
def test_a_changed_byte_is_noticed_or_does_not_matter(seed, commands, damaged, lmdistill):
    rng = random.Random(seed)
    before = {name: said_by(lmdistill, name) for name in commands}
    assert {answer[0] for answer in before.values()} == {0}
    noticed = set()
    for name in files_of(RUN):
        path = RUN / name
        content = path.read_bytes()
        at = rng.randrange(len(content))
        path.unlink()  # it may be a link to the file of a teacher
        path.write_bytes(content[:at] + bytes([content[at] ^ 1 << rng.randrange(8)]) + content[at + 1 :])
        for command in commands:
            found = said_by(lmdistill, command)
            if found != before[command]:
                noticed.add(name)
                assert found[0] == 2, (name, at, command, found)
                assert len(found[2]) == 1, (name, at, command, found)
        path.write_bytes(content)
    assert {"predictions.jsonl", "history.jsonl", "student/model.safetensors"} <= noticed


@pytest.mark.parametrize("command", [*COMMANDS, "measure"])
def test_weights_that_have_changed_are_refused_by_every_command_that_loads_them(command, damaged, lmdistill):
    weights = RUN / "student" / "model.safetensors"
    content = weights.read_bytes()
    weights.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    said = lmdistill(*COMMANDS.get(command, (command, "runs/one")))
    if command == "report":
        assert said.code == 0
        return
    assert said.code == 2
    assert "runs/one/student is not as its run wrote it: model.safetensors has changed." in said.err
    assert said.err.count("error: ") == 1


def test_a_changed_student_can_be_neither_pruned_nor_a_teacher(damaged, lmdistill):
    config = RUN / "student" / "config.json"
    config.write_text(config.read_text().replace('"neg"', '"nag"'))
    for arguments in (
        ("prune", "runs/one", "--keep", "0.5", "--out", "small"),
        ("distill", "recipe.yaml", "--set", "teacher.model=runs/one/student", "--out", "runs/two"),
    ):
        said = lmdistill(*arguments)
        assert said.code == 2
        assert "is not as its run wrote it: config.json has changed" in said.err
    shutil.copytree(RUN / "student", "copy")
    assert lmdistill("predict", "copy", "dev.csv", "--out", "answers.csv").code == 0  # as the message says


def test_a_damaged_teacher_of_the_cache_is_trained_again_and_that_is_said(damaged, lmdistill):
    (teacher,) = Path("runs/teachers").iterdir()
    weights = teacher / "student" / "model.safetensors"
    content = weights.read_bytes()
    weights.unlink()
    weights.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    said = lmdistill("distill", "recipe.yaml", "--set", "teacher.model=models/encoder", "--out", "runs/two")
    assert said.code == 0, said.err
    assert f"{teacher} is damaged (model.safetensors has changed); it is made again." in said.err
    assert weights.read_bytes() == content


def test_an_empty_file_of_predictions_is_refused(damaged, lmdistill):
    (RUN / "predictions.jsonl").write_text("")
    said = lmdistill("report", "runs/one")
    assert said.code == 2
    assert "predictions.jsonl has changed" in said.err


def test_inputs_that_cannot_be_read_are_no_bug(damaged, lmdistill):
    shutil.copytree(RUN, "runs/three")
    Path("runs/three/record.json").unlink()
    Path("runs/three/inputs.json").write_text("{")
    said = lmdistill("distill", "recipe.yaml", "--set", "teacher.model=models/encoder", "--out", "runs/three")
    assert said.code == 2
    assert "inputs.json is damaged" in said.err
