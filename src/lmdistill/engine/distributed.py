"""Communication between the processes of a run: the main process writes files, the others wait for it."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar, cast

import torch
from accelerate import PartialState
from accelerate.utils import broadcast_object_list, parse_flag_from_env

from lmdistill.core.errors import LmdistillError
from lmdistill.core.file_lock import exclusive_file, sole_writer

LONGEST_WAIT = timedelta(days=7)
"""Timeout for waiting on another process. It is long because launchers stop all processes if one fails."""

Value = TypeVar("Value")


def on_cpu() -> bool:
    """Whether to run on the CPU: there is no accelerator, or `accelerate launch --cpu` was used."""
    return parse_flag_from_env("ACCELERATE_USE_CPU") == 1 or not torch.accelerator.is_available()


def process_state() -> PartialState:
    """The state of this process among those of the run; a process that was started alone is the main one."""
    return PartialState(cpu=on_cpu(), timeout=LONGEST_WAIT)


def is_main() -> bool:
    """Whether this is the main process, which writes files and prints messages."""
    return bool(process_state().is_main_process)


def broadcast_from_main(value: Value) -> Value:
    """The `value` of the main process, returned on every process."""
    return cast(Value, broadcast_object_list([value])[0])


@contextmanager
def main_process_first() -> Iterator[None]:
    """Run the block on the main process first, then on the other processes.

    Raises:
        LmdistillError: On the other processes if the main process fails, with its message.
    """
    if not is_main():
        failure = broadcast_from_main("")
        if failure:
            raise LmdistillError(failure)
        yield
        return
    try:
        yield
    except Exception as error:
        broadcast_from_main(str(error) or type(error).__name__)
        raise
    broadcast_from_main("")


def on_main_process(action: Callable[[], Value]) -> Value:
    """Call `action` on the main process only, and return its result on every process.

    Raises:
        LmdistillError: On the other processes if `action` fails, with its message.

    Examples:
        >>> on_main_process(lambda: 1 + 1)
        2
    """
    result: Any = None
    with main_process_first():
        if is_main():
            result = action()
    return cast(Value, broadcast_from_main(result))


@contextmanager
def exclusive(path: Path) -> Iterator[None]:
    """Lock `path` on behalf of all processes of this run during the block; see `exclusive_file`."""
    with ExitStack() as stack:
        on_main_process(lambda: stack.enter_context(exclusive_file(path)))
        yield


@contextmanager
def one_writer(path: Path) -> Iterator[None]:
    """Write `path` in the block, in all processes of this run and in none of another; see `sole_writer`.

    Raises:
        RunError: At once, if another command writes it; on the other processes of this run `LmdistillError`.
    """
    with ExitStack() as held:
        on_main_process(lambda: held.enter_context(sole_writer(path)))
        yield
