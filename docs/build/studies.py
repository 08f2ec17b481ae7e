"""The studies that come with the package."""

from pathlib import Path

from lmdistill.commands.catalog import catalog
from lmdistill.studies.grid import study_cells
from lmdistill.studies.schema import read_study


def studies(_: str | None) -> str:
    """What each study that comes with the package is, and its number of runs at each scale."""
    lines = ["| study | what it is | runs, small | runs, paper |", "|---|---|---:|---:|"]
    for name, line in catalog("studies").items():
        found = [read_study(name, [f"scale={scale}"]) for scale in ("small", "paper")]
        numbers = [str(len(study_cells(study, Path()))) for study in found]
        lines.append(f"| `{name}` | {' | '.join([line, *numbers])} |")
    return "\n".join(lines) + "\n"
