"""OpenVINO as this package uses it: without usage reports, and one `Core` for the whole process."""

import sys
from functools import cache
from types import ModuleType
from typing import Any

REPORTER = "openvino_telemetry"
"""Package through which OpenVINO and NNCF report over the network that they are imported and used."""


def openvino() -> Any:
    """The module, imported without its reporter unless the process has loaded that already.

    A library must not report on its user's behalf. Without the reporter OpenVINO and NNCF go on, as where it
    is not installed.
    """
    modules: dict[str, ModuleType | None] = sys.modules  # type: ignore[assignment]
    modules.setdefault(REPORTER, None)
    import openvino as module

    return module


@cache
def openvino_core() -> Any:
    """The one `Core` of this process.

    Each `Core` puts a signal stack of its own in place on processors with AMX, and puts back the one before
    when it goes. Of two that overlap, the second leaves the freed stack of the first, and the next signal
    ends the process (seen with 2026.4.1).
    """
    return openvino().Core()
