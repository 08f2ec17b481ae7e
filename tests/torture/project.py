"""A folder with tiny models, texts and recipes, and the commands that the torture tests run in it."""

import hashlib
import json
import random
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import yaml

from tests.tiny import WORDS
from tests.tiny_recipe import environment, write_model, write_table

TRAINING = {
    "epochs": 4, "batch_size": 8, "checkpoint_every": 5, "eval_every": 6, "keep": "best",
    "optimizer": {"learning_rate": 1e-3},
}  # fmt: skip
CLASSIFIER = {
    "task": "own",
    "data": {"source": "texts.csv", "max_length": 32},
    "teacher": {"model": "model"},
    "student": {"layers": 2},
    "training": TRAINING,
    "seeds": [3],
}
LANGUAGE = {
    "texts": {"source": "stories.txt", "dev_rows": 6, "max_length": 24},
    "teacher": {
        "shape": {"width": 8, "layers": 2, "heads": 2},
        "training": {"epochs": 2, "batch_size": 8, "optimizer": {"learning_rate": 1e-2}},
    },
    "student": {"layers": 1},
    "method": {"name": "token_kd"},
    "writing": {"rows": 3, "max_new": 6, "begin": 3},
    "training": {**TRAINING, "checkpoint_every": 3},
}
RECIPES = {
    "kd": {**CLASSIFIER, "method": {"name": "kd"}},
    "mixkd": {**CLASSIFIER, "method": {"name": "mixkd"}},
    "strong": {
        **CLASSIFIER,
        "student": {"layers": "all"},
        "method": {"name": "finetune"},
        "training": {**TRAINING, "epochs": 30, "optimizer": {"learning_rate": 3e-3}},
    },
    "minidisc": {
        **CLASSIFIER,
        "teacher": {"model": "strong/student"},
        "student": {"layers": "all", "keep": 0.3, "pruning": {"multiple": 4, "rows": 24}},
        "schedule": {"name": "minidisc", "grid": [0.7, 0.5, 0.3], "largest": 0.7},
        "method": {"name": "hidden_kd"},
    },
    "augmented": {
        **CLASSIFIER,
        "data": {
            **CLASSIFIER["data"],
            "augmentation": {"augmenter": {"name": "eda", "synonym": 0.0, "insertion": 0.0}},
        },
        "method": {"name": "kd"},
    },
    "language": LANGUAGE,
}
STUDY = {"study": "s", "base": "kd.yaml", "axes": {"method.alpha": [0.2, 0.8]}, "seeds": [0]}
SEARCH = {
    "study": "f", "base": "kd.yaml", "seeds": [0],
    "search": {"fields": {"method.alpha": {"low": 0.1, "high": 0.9}}, "trials": 2, "sampler": "random"},
}  # fmt: skip


@dataclass(frozen=True)
class Scenario:
    """A command, and the files that it must always end with."""

    arguments: tuple[str, ...]
    results: tuple[str, ...]


SCENARIOS = {
    "distill": Scenario(("distill", "mixkd.yaml", "--out", "out"), ("out/student/*.safetensors", "out/predictions.jsonl")),
    "minidisc": Scenario(("distill", "minidisc.yaml", "--out", "out"), ("out/student/*.safetensors", "out/predictions.jsonl")),
    "study": Scenario(("study", "study.yaml", "--out", "out"), ("out/*/student/*.safetensors", "out/*/predictions.jsonl")),
    "search": Scenario(("study", "search.yaml", "--out", "out"), ("out/*/student/*.safetensors", "out/*/predictions.jsonl")),
    "augmentation": Scenario(("distill", "augmented.yaml", "--out", "out"), ("out/student/*.safetensors", "augmented/*")),
    "predict": Scenario(("predict", "done", "many.csv", "--out", "out.csv"), ("out.csv",)),
    "generate": Scenario(("generate", "written", "prompts.jsonl", "--out", "out.jsonl", "--max-new", "8"), ("out.jsonl",)),
    "report": Scenario(("report", "done", "--files", "out"), ("out/*.csv", "out/*.md")),
}  # fmt: skip
"""What is killed; see `prepare` for `done` and `written`."""


def prepare(folder: Path) -> None:
    """Write models, texts and recipes, and run the two runs that other commands need."""
    folder.mkdir(parents=True, exist_ok=True)
    write_model(folder / "model")
    write_table(folder / "texts.csv")
    write_table(folder / "many.csv", rows=3000)
    rng = random.Random(1)
    stories = [" ".join(rng.choices(WORDS, k=rng.randint(4, 12))) for _ in range(40)]
    (folder / "stories.txt").write_text("\n\n".join(stories) + "\n")
    prompts = [{"prompt": " ".join(rng.choices(WORDS, k=3))} for _ in range(200)]
    (folder / "prompts.jsonl").write_text("".join(json.dumps(prompt) + "\n" for prompt in prompts))
    for name, recipe in RECIPES.items():
        (folder / f"{name}.yaml").write_text(yaml.safe_dump(recipe, sort_keys=False))
    (folder / "study.yaml").write_text(yaml.safe_dump(STUDY, sort_keys=False))
    (folder / "search.yaml").write_text(yaml.safe_dump(SEARCH, sort_keys=False))
    for recipe, out in (("kd.yaml", "done"), ("language.yaml", "written"), ("strong.yaml", "strong")):
        done = run(folder, "distill", recipe, "--out", out)
        assert done.returncode == 0, done.stderr


def copy(prepared: Path, folder: Path) -> Path:
    """A copy of a prepared folder to work in."""
    shutil.copytree(prepared, folder, symlinks=True)
    return folder


def start_command(*arguments: str) -> list[str]:
    """The command line of a process."""
    return [sys.executable, "-m", "lmdistill", *arguments]


def command_environment(folder: Path) -> dict[str, str]:
    """One thread, no hub, and a cache of data sets in the folder."""
    return {**environment(), "HF_DATASETS_CACHE": str(folder / "datasets-cache")}


def start(folder: Path, *arguments: str) -> subprocess.Popen:
    """A command as a process of its own, whose children belong to its group."""
    return subprocess.Popen(
        start_command(*arguments), cwd=folder, text=True, start_new_session=True,
        env=command_environment(folder), stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess:
    """A command to its end."""
    process = start(folder, *arguments)
    out, err = process.communicate()
    return subprocess.CompletedProcess(arguments, process.returncode, out, err)


def digest(folder: Path, scenario: Scenario) -> dict[str, str]:
    """The hash of each result file."""
    files = sorted(path for pattern in scenario.results for path in folder.glob(pattern) if path.is_file())
    assert files
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def left_over(folder: Path) -> list[str]:
    """Files of commands that did not end: parts and checkpoints."""
    names = [path.relative_to(folder).as_posix() for path in folder.rglob("*")]
    return [name for name in names if ".part" in name or "/checkpoints/" in name]


def is_one_line(process: subprocess.CompletedProcess) -> bool:
    """Whether a refused command said so in one line, without a traceback."""
    lines = [line for line in process.stderr.splitlines() if line.startswith("error:")]
    return (
        len(lines) == 1 and "Traceback" not in process.stderr and "a bug in lmdistill" not in process.stderr
    )
