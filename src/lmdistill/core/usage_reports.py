"""Usage reports of other packages, which a library must not send on its user's behalf."""

import sys
from types import ModuleType

REPORTER = "openvino_telemetry"
"""Package through which OpenVINO and NNCF report that they are imported and used."""


def withhold_reports() -> None:
    """Let OpenVINO and NNCF find no package to report with, unless the process has loaded it already.

    Call it before they are imported. They then go on without reports, as where it is not installed.
    """
    modules: dict[str, ModuleType | None] = sys.modules  # type: ignore[assignment]
    modules.setdefault(REPORTER, None)
