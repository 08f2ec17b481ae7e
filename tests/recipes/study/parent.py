"""A process that runs a study and can be killed; it begins with everything loaded that this one has loaded."""

import multiprocessing
import warnings


def started(work, *arguments, **settings):
    """`work` in a process of its own."""
    process = multiprocessing.get_context("fork").Process(target=work, args=arguments, kwargs=settings)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # it only starts and watches processes
        process.start()
    return process


def ended(process):
    """How it ended."""
    process.join()
    code = process.exitcode
    process.close()
    return code
