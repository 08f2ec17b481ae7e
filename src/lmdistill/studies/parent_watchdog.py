"""A process that ends when the one that started it does, even when that one is killed.

The starting process holds one end of a pipe for as long as it lives; the started one waits at the other end.
Nothing is asked of the system but pipes, and there is no moment at which a child can be missed.
"""

import os
import signal
import threading

VARIABLE = "LMDISTILL_LIFELINE"
"""Environment variable with the number of the end to wait at."""


def follow() -> None:
    """End this process and those it has started when the other end closes; do nothing without a lifeline."""
    end = os.environ.pop(VARIABLE, None)
    if end is not None:
        threading.Thread(target=_wait, args=(int(end),), daemon=True).start()


def _wait(end: int) -> None:
    """Wait until nobody holds the other end any more."""
    while os.read(end, 1):
        pass
    os.killpg(os.getpgrp(), signal.SIGKILL)
