"""A process that runs a study and can be killed; it begins with everything loaded that this one has loaded."""

import multiprocessing
import signal
import warnings


def started(work, *arguments, **settings):
    """`work` in a process of its own."""
    process = multiprocessing.get_context("fork").Process(
        target=_from_a_terminal, args=(work, *arguments), kwargs=settings
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # it only starts and watches processes
        process.start()
    return process


def _from_a_terminal(work, *arguments, **settings):
    """Do it as a command in front does: one that was put in the background does not hear Ctrl-C."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    work(*arguments, **settings)


def ended(process):
    """How it ended."""
    process.join()
    code = process.exitcode
    process.close()
    return code
