"""Ends a process when the process that started it ends, even if that one is killed.

The parent holds one end of a pipe as long as it lives; the child waits for the pipe to close. This needs
only pipes, and no child can be missed.
"""

import os
import signal
import threading

VARIABLE = "LMDISTILL_LIFELINE"
"""Environment variable with the file descriptor of the child's end of the pipe."""


def follow() -> None:
    """End this process group when the parent's end of the pipe closes; do nothing without the variable."""
    end = os.environ.pop(VARIABLE, None)
    if end is not None:
        threading.Thread(target=_wait, args=(int(end),), daemon=True).start()


def _wait(end: int) -> None:
    """Wait until the parent's end is closed."""
    while os.read(end, 1):
        pass
    os.killpg(os.getpgrp(), signal.SIGKILL)
