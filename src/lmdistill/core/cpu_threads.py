"""CPU threads of torch: how many compute one operation, and how they wait for each other.

Torch computes with the threads of an OpenMP runtime (GNU OpenMP on Linux), which reads its settings from the
environment once, when torch is loaded. So the command line sets them before that. A program that imports
lmdistill decides for itself.
"""

import os
import sys
from collections.abc import Mapping, MutableMapping
from typing import Any

COUNTS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "RAYON_NUM_THREADS")
"""Environment variables with the number of threads: of OpenMP, of Intel's math library, of tokenizers."""

MOST = 1024
"""Most threads that can be asked for; more than there are cores only make it slower."""

WAITING = ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "KMP_BLOCKTIME")
"""Environment variables that say how a thread waits: by sleeping, or in a loop, and for how long."""

DEFAULT_WAITING = {"GOMP_SPINCOUNT": "30000"}
"""How threads wait unless the user says otherwise: a short loop, then sleep.

A thread that waits in a loop keeps the core that the other thread, which it waits for, may need; a thread
that sleeps takes time to wake up. `benchmarks/threads.py` measures the alternatives: among those that cost
less than 5 % on an idle machine, this one loses least on a busy one.
"""


def set_waiting(environment: MutableMapping[str, str] = os.environ) -> None:
    """Let threads wait as `DEFAULT_WAITING` says, unless the user has set one of `WAITING`.

    It has an effect on torch if it is loaded later, and on every process that is started.

    Examples:
        >>> there = {"GOMP_SPINCOUNT": "1000"}
        >>> set_waiting(there)
        >>> there
        {'GOMP_SPINCOUNT': '1000'}
    """
    if not any(name in environment for name in WAITING):
        environment.update(DEFAULT_WAITING)


def set_threads(number: int) -> None:
    """Compute each operation with `number` threads, >= 1, here and in every process that is started."""
    for name in COUNTS:
        os.environ[name] = str(number)
    torch: Any = sys.modules.get("torch")
    if torch is not None:  # it has read the environment already
        torch.set_num_threads(number)


def own_threads(environment: Mapping[str, str] = os.environ) -> int:
    """Threads that the user has set for one operation; 0 if none are set, or no number.

    Runtimes with threads of their own do not read these variables.

    Examples:
        >>> own_threads({"OMP_NUM_THREADS": "2"}), own_threads({})
        (2, 0)
    """
    text = environment.get(COUNTS[0], "")
    return int(text) if text.isdecimal() else 0
