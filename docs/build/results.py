"""Tables of records, and where they come from."""

import types
from collections.abc import Callable, Iterator, Mapping, Sequence

import yaml

from docs.build import paths
from docs.build.paths import runs_of, tables_of
from lmdistill.analysis.significance import Spread, spread
from lmdistill.records.record import RECORD, Record, RecordedRun
from lmdistill.report.grid import markdown
from lmdistill.report.tables.details import details
from lmdistill.report.tables.intervals import certainty
from lmdistill.report.tables.quality import grid
from lmdistill.report.tables.schedules import schedule_grids


def results(name: str | None) -> str:
    """The table of one folder of records; without a name, of every folder, and how each was made."""
    if name is not None:
        return "\n".join(markdown(grid(table)) for table in tables_of(name)) or paths.NOTHING
    found = paths.RESULTS.rglob(RECORD)
    folders = sorted({path.relative_to(paths.RESULTS).parts[0] for path in found})
    return "\n".join(section(folder) for folder in folders) or paths.NOTHING


TOKENS: Mapping[str, Callable[[Record], float | None]] = types.MappingProxyType(
    {
        "easy, nats": lambda record: record.tokens and record.tokens.easy.nats,
        "hard, nats": lambda record: record.tokens and record.tokens.hard.nats,
        "easy, agrees %": lambda record: record.tokens and percent(record.tokens.easy.agreement),
        "hard, agrees %": lambda record: record.tokens and percent(record.tokens.hard.agreement),
        "calibration error %": lambda record: record.calibration and percent(record.calibration.ece),
        "ROUGE-L %": lambda record: percent((record.written or {}).get("rouge_l")),
        "distinct-2 %": lambda record: percent((record.written or {}).get("distinct_2")),
    }
)  # fmt: skip
"""Columns of the table of tokens."""


def percent(value: float | None) -> float | None:
    """A fraction as it is shown."""
    return None if value is None else 100 * value


def tokens(name: str) -> str:
    """How easy and hard tokens fare under each method, and what its students write; means over seeds."""
    lines = [f"|  | {' | '.join(TOKENS)} |", f"| --- |{' ---: |' * len(TOKENS)}"]
    for table in tables_of(name):
        for row in table.rows:
            records = [run.record for run in row.runs if run.record.tokens is not None]
            if row.role != "teacher" and records:
                cells = [spread([read(record) for record in records]) for read in TOKENS.values()]
                lines.append(f"| {row.label} | {' | '.join(map(shown, cells))} |")
    return "\n".join(lines) + "\n" if len(lines) > 2 else paths.NOTHING


def schedules(name: str) -> str:
    """What each schedule of one folder of records came to and took, and what the score foretold."""
    return "\n".join(map(markdown, schedule_grids(runs_of(name)))) or paths.NOTHING


def shown(value: Spread | None) -> str:
    """Mean and sample standard deviation."""
    if value is None:
        return "–"
    return f"{value.mean:.3g}" if value.sd is None else f"{value.mean:.3f} ± {value.sd:.3f}"


def section(name: str) -> str:
    """Everything about one folder of records."""
    parts = [f"## {name}\n"]
    for table in tables_of(name):
        sure = certainty(table)
        parts += [markdown(grid(table)), *([] if sure is None else [markdown(sure)])]
        parts += [origin(table.runs, name), markdown(details(table))]
    return "\n".join(parts)


def origin(runs: Sequence[RecordedRun], name: str) -> str:
    """How, from what and where the numbers of a table were made; cells of a study have one command."""
    records = [run.record for run in runs]
    study = (paths.RESULTS / name / "study.yaml").is_file()
    commands = [f"lmdistill study results/{name}/study.yaml"] if study else [one.command for one in records]
    lines = [
        ("Command", listed(f"`{command}`" for command in commands)),
        ("Seeds", listed(str(seed) for seed in sorted({record.seed for record in records}))),
        ("Methods", listed(f"{record.name}: `{settings(record)}`" for record in records)),
        ("Commit", listed(commit(record) for record in records)),
        ("Machine", listed(machine(record) for record in records)),
        ("Data", listed(note for record in records for note in record.task.notes)),
    ]
    return "\n".join(f"- {title}: {text}" for title, text in lines if text) + "\n"


def listed(texts: Iterator[str]) -> str:
    """Different texts in their order."""
    return "; ".join(dict.fromkeys(text for text in texts if text))


def settings(record: Record) -> str:
    """A method with its fields, on one line."""
    text: str = yaml.safe_dump(dict(record.method), default_flow_style=True, sort_keys=False, width=10_000)
    return text.strip()


def commit(record: Record) -> str:
    """The commit of a run, and whether files had changed since."""
    found = record.environment
    return f"{(found.commit or 'unknown')[:10]}{' with changes' if found.dirty else ''}"


def machine(record: Record) -> str:
    """Device, processor and versions."""
    found = record.environment
    return (
        f"{found.device} ({found.processor}), {found.threads} threads, Python {found.python}, "
        f"torch {found.torch}, transformers {found.transformers}"
    )
