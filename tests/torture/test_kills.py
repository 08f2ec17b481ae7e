"""`kill -9` at a random moment of a command, then the same command: the same results, and nothing left over."""

import os
import random
import signal
import subprocess
import time

import pytest

from tests.torture.project import (
    SCENARIOS,
    command_environment,
    copy,
    digest,
    left_over,
    run,
    start,
    start_command,
)

pytestmark = pytest.mark.torture

KILLS = 100
CASES = [(number, list(SCENARIOS)[number % len(SCENARIOS)]) for number in range(KILLS)]


@pytest.mark.parametrize(("number", "name"), CASES)
def test_the_same_command_ends_with_the_same_results_after_a_kill(
    number, name, prepared, undisturbed, tmp_path
):
    expected, seconds = undisturbed(name)
    folder = copy(prepared, tmp_path / "work")
    process = start(folder, *SCENARIOS[name].arguments)
    try:
        time.sleep(random.Random(number).uniform(0.2, 1.0) * seconds)
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass  # it had ended
    finally:
        process.communicate()
    again = run(folder, *SCENARIOS[name].arguments)
    was_done = "exists. Choose another --out" in again.stderr  # before the kill came
    assert again.returncode == 0 or was_done, again.stderr
    assert "Traceback" not in again.stderr
    assert digest(folder, SCENARIOS[name]) == expected
    assert left_over(folder) == []


def test_a_full_disk_is_one_line_and_the_same_command_goes_on(prepared, undisturbed, tmp_path):
    """Files may not grow beyond 16 KB, as on a disk that is full."""
    expected, _ = undisturbed("distill")
    folder = copy(prepared, tmp_path / "work")
    limited = subprocess.run(
        ["bash", "-c", 'ulimit -f 16; exec "$@"', "bash", *start_command(*SCENARIOS["distill"].arguments)],
        cwd=folder, capture_output=True, text=True, env=command_environment(folder),
    )  # fmt: skip
    assert limited.returncode == 2, limited.stderr
    assert "Traceback" not in limited.stderr
    again = run(folder, *SCENARIOS["distill"].arguments)
    assert again.returncode == 0, again.stderr
    assert digest(folder, SCENARIOS["distill"]) == expected
