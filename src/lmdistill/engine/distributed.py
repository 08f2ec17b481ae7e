"""Processes that were launched together: one writes, the others wait."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar, cast

import torch
from accelerate import PartialState
from accelerate.utils import broadcast_object_list, parse_flag_from_env

from lmdistill.core.errors import LmdistillError
from lmdistill.core.file_lock import exclusive_file

LONGEST_WAIT = timedelta(days=7)
"""How long a process waits for another one; a launcher ends the others when one fails, long before."""

Value = TypeVar("Value")


def on_cpu() -> bool:
    """Whether the work is done on the CPU: nothing else is there, or `accelerate launch --cpu` says so."""
    return parse_flag_from_env("ACCELERATE_USE_CPU") == 1 or not torch.accelerator.is_available()


def process_state() -> PartialState:
    """This process among those launched with it; the only one, and the main one, when started alone."""
    return PartialState(cpu=on_cpu(), timeout=LONGEST_WAIT)


def is_main() -> bool:
    """Whether this process is the one that writes and speaks."""
    return bool(process_state().is_main_process)


def broadcast_from_main(value: Value) -> Value:
    """The main process's `value`, on every process."""
    return cast(Value, broadcast_object_list([value])[0])


@contextmanager
def main_process_first() -> Iterator[None]:
    """The main process does the block before the others do it.

    Raises:
        LmdistillError: On the others, with the main process's message, where the main process fails.
    """
    if not is_main():
        failed = broadcast_from_main("")
        if failed:
            raise LmdistillError(failed)
        yield
        return
    try:
        yield
    except Exception as error:
        broadcast_from_main(str(error) or type(error).__name__)
        raise
    broadcast_from_main("")


def on_main_process(action: Callable[[], Value]) -> Value:
    """Do `action` on the main process while the others wait; what it gives, on every process.

    Examples:
        >>> on_main_process(lambda: 1 + 1)
        2
    """
    answer: Any = None
    with main_process_first():
        if is_main():
            answer = action()
    return cast(Value, broadcast_from_main(answer))


@contextmanager
def exclusive(path: Path) -> Iterator[None]:
    """Hold a lock on `path` for all processes of this run during the block; see `exclusive_file`."""
    with ExitStack() as held:
        on_main_process(lambda: held.enter_context(exclusive_file(path)))
        yield
