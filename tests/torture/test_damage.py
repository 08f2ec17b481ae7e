"""One damaged file, then a command: the results of before, or one line that says what is wrong."""

import random
import signal
import time
from pathlib import Path

import pytest

from tests.torture.project import SCENARIOS, Scenario, copy, digest, is_one_line, run, start

pytestmark = pytest.mark.torture

FILES = 200

READERS = {
    "report": SCENARIOS["report"],
    "predict": SCENARIOS["predict"],
    "generate": SCENARIOS["generate"],
    "evaluate": Scenario(("evaluate", "done"), ()),
}
"""Commands that read a finished run; `evaluate` only prints."""


def flip(data: bytes, rng: random.Random) -> bytes:
    """One bit of one byte."""
    place = rng.randrange(len(data))
    return data[:place] + bytes([data[place] ^ (1 << rng.randrange(8))]) + data[place + 1 :]


DAMAGES = {
    "flipped": flip,
    "cut": lambda data, rng: data[: rng.randrange(len(data))],
    "emptied": lambda data, rng: b"",
    "overwritten": lambda data, rng: rng.randbytes(len(data)),
    "lengthened": lambda data, rng: data + rng.randbytes(rng.randint(1, 64)),
}


def damage(folder: Path, rng: random.Random) -> str:
    """Damage one file of a folder; what was done to which."""
    files = sorted(path for path in folder.rglob("*") if path.is_file() and path.stat().st_size > 0)
    path, kind = rng.choice(files), rng.choice(sorted(DAMAGES))
    path.write_bytes(DAMAGES[kind](path.read_bytes(), rng))
    return f"{path.relative_to(folder)} {kind}"


def printed_scores(text: str) -> list[str]:
    """Lines of a table of scores."""
    return [line for line in text.splitlines() if "accuracy" in line or "." in line]


@pytest.fixture(scope="session")
def intact(prepared, tmp_path_factory):
    """What each reader gives of undamaged folders."""
    known = {}

    def of(name):
        if name not in known:
            folder = copy(prepared, tmp_path_factory.mktemp(name) / "intact")
            done = run(folder, *READERS[name].arguments)
            assert done.returncode == 0, done.stderr
            known[name] = (
                digest(folder, READERS[name]) if READERS[name].results else {},
                printed_scores(done.stdout),
            )
        return known[name]

    return of


@pytest.fixture(scope="session")
def interrupted(prepared, tmp_path_factory):
    """A folder whose run was killed after its first checkpoints."""
    folder = copy(prepared, tmp_path_factory.mktemp("interrupted") / "work")
    process = start(folder, *SCENARIOS["distill"].arguments)
    while len(list(folder.glob("out/checkpoints/*/state.json"))) < 2 and process.poll() is None:
        time.sleep(0.002)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert list(folder.glob("out/checkpoints/*"))
    return folder


@pytest.mark.parametrize("number", range(FILES // 2))
def test_a_damaged_run_is_read_as_before_or_refused_in_one_line(number, prepared, intact, tmp_path):
    rng = random.Random(number)
    name = sorted(READERS)[number % len(READERS)]
    folder = copy(prepared, tmp_path / "work")
    what = damage(folder / ("written" if name == "generate" else "done"), rng)
    done = run(folder, *READERS[name].arguments)
    if done.returncode == 0:
        results, scores = intact(name)
        same = not READERS[name].results or digest(folder, READERS[name]) == results
        said = what.split("/")[-1].split()[0] in done.stderr + done.stdout
        assert (same and printed_scores(done.stdout) == scores) or said, what
    else:
        assert done.returncode == 2, (what, done.stderr)
        assert is_one_line(done), (what, done.stderr)


@pytest.mark.parametrize("number", range(FILES // 2, FILES))
def test_a_damaged_checkpoint_gives_the_same_weights_or_one_line(number, interrupted, undisturbed, tmp_path):
    rng = random.Random(number)
    folder = copy(interrupted, tmp_path / "work")
    what = damage(folder / "out", rng)
    done = run(folder, *SCENARIOS["distill"].arguments)
    if done.returncode == 0:
        assert digest(folder, SCENARIOS["distill"]) == undisturbed("distill")[0], what
    else:
        assert done.returncode == 2, (what, done.stderr)
        assert is_one_line(done), (what, done.stderr)
