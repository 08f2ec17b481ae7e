"""Two commands at the same time on one place: each ends well or in one line, and the results are as of one."""

import shutil
import subprocess

import pytest

from tests.torture.project import SCENARIOS, copy, digest, is_one_line, left_over, run, start

pytestmark = pytest.mark.torture

PAIRS = 20
CASES = [(number, list(SCENARIOS)[number % len(SCENARIOS)]) for number in range(PAIRS)]


@pytest.mark.parametrize(("number", "name"), CASES)
def test_two_of_one_command_leave_the_results_of_one(number, name, prepared, undisturbed, tmp_path):
    expected, _ = undisturbed(name)
    folder = copy(prepared, tmp_path / "work")
    processes = [start(folder, *SCENARIOS[name].arguments) for _ in range(2)]
    done = []
    for process in processes:
        out, err = process.communicate()
        done.append(subprocess.CompletedProcess(process.args, process.returncode, out, err))
    codes = sorted(one.returncode for one in done)
    assert codes in ([0, 0], [0, 2]), [one.stderr for one in done]
    assert all(one.returncode == 0 or is_one_line(one) for one in done), [one.stderr for one in done]
    assert digest(folder, SCENARIOS[name]) == expected
    assert left_over(folder) == []


def test_two_recipes_on_one_folder_do_not_mix(prepared, tmp_path):
    folder = copy(prepared, tmp_path / "work")
    first, second = (start(folder, "distill", recipe, "--out", "out") for recipe in ("kd.yaml", "mixkd.yaml"))
    ends = [process.communicate() for process in (first, second)]
    assert sorted([first.returncode, second.returncode]) == [0, 2], ends
    winner = "kd.yaml" if first.returncode == 0 else "mixkd.yaml"
    shutil.copytree(folder / "out", folder / "kept")
    shutil.rmtree(folder / "out")
    assert run(folder, "distill", winner, "--out", "out").returncode == 0
    weights = [(folder / place / "student/model.safetensors").read_bytes() for place in ("out", "kept")]
    assert weights[0] == weights[1]
