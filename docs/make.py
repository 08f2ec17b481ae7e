"""The parts of the pages that are made from code and from records. Run it with `make docs`.

A page marks such a part by two comments, and what stands between them is replaced:

    <!-- fields lmdistill.methods.kd.KD --> ... <!-- /fields -->    a dataclass, field by field
    <!-- results sst2-10pct --> ... <!-- /results -->               the table of records/sst2-10pct
    <!-- results --> ... <!-- /results -->                          every table, and where it comes from
    <!-- tokens stories --> ... <!-- /tokens -->                    easy and hard tokens of records/stories
    <!-- schedules sst2 --> ... <!-- /schedules -->                schedules of records/sst2 side by side
    <!-- studies --> ... <!-- /studies -->                         the studies that come with the package
    <!-- benchmark mixkd_step --> ... <!-- /benchmark -->           the newest run of a script in benchmarks/
"""

import ast
import csv
import dataclasses
import importlib
import inspect
import re
import textwrap
import types
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

import yaml

from lmdistill.core.storage import write_text
from lmdistill.core.types import Method
from lmdistill.data.augment import Augmenter
from lmdistill.recipes.catalog import catalog
from lmdistill.recipes.construct import plain
from lmdistill.recipes.study.cells import study_cells
from lmdistill.recipes.study.schema import read_study
from lmdistill.report.certainty import certainty
from lmdistill.report.comparison import compare
from lmdistill.report.details import details
from lmdistill.report.record import RECORD, Record, RunFolder, find_records
from lmdistill.report.rows import Comparison
from lmdistill.report.schedules import schedule_grids
from lmdistill.report.statistics import Spread, spread
from lmdistill.report.tables import grid, markdown
from lmdistill.schedules.plans import Schedule

REPO = Path(__file__).parents[1]
RECORDS = REPO / "records"
MEASURED = REPO / "benchmarks" / "results.csv"
PART = re.compile(
    r"(<!-- (fields|results|tokens|schedules|studies|benchmark)(?: (\S+))? -->\n)(.*?)(<!-- /\2 -->)",
    re.DOTALL,
)
WORDS: Mapping[Any, str] = types.MappingProxyType(
    {bool: "true, false", int: "whole number", float: "number", str: "text"}
    | {Method: "a method", Augmenter: "an augmenter", Schedule: "a schedule"}
)
NOTHING = "No run is recorded yet; `records/` is empty.\n"


def pages() -> list[Path]:
    """Every page that may have such parts."""
    return [REPO / "README.md", *sorted((REPO / "docs").rglob("*.md"))]


def made(text: str) -> str:
    """The text of a page with its parts made anew; making it twice changes nothing."""

    def part(found: re.Match[str]) -> str:
        opening, kind, name, _, closing = found.groups()
        return f"{opening}{KINDS[kind](name)}{closing}"

    return PART.sub(part, text)


def fields(path: str) -> str:
    """A table of the fields of the dataclass with this dotted path."""
    module, _, name = path.rpartition(".")
    cls = getattr(importlib.import_module(module), name)
    said, hints = documentation(cls), get_type_hints(cls)
    lines = ["| field | values | default | meaning |", "|---|---|---|---|"]
    for field in dataclasses.fields(cls):
        cells = (f"`{field.name}`", values_of(hints[field.name]), default(field), said[field.name])
        lines.append(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |")
    if len(lines) == 2:
        return "It has none.\n"
    return "\n".join(lines) + "\n"


def documentation(cls: type) -> dict[str, str]:
    """The text beneath each field in the source."""
    (node,) = ast.parse(textwrap.dedent(inspect.getsource(cls))).body
    assert isinstance(node, ast.ClassDef)
    return {
        part.target.id: " ".join(ast.literal_eval(after.value).split())
        for part, after in zip(node.body, node.body[1:], strict=False)
        if isinstance(part, ast.AnnAssign)
        and isinstance(part.target, ast.Name)
        and isinstance(after, ast.Expr)
    }


def values_of(hint: Any) -> str:
    """A type as a reader of YAML would say it."""
    origin, inner = get_origin(hint), get_args(hint)
    if origin is Literal:
        return ", ".join(f"`{choice}`" for choice in inner)
    if origin in (types.UnionType, Union):
        return " or ".join(values_of(option) for option in inner if option is not types.NoneType)
    if origin is tuple:
        return f"list of {'pairs' if get_origin(inner[0]) is tuple else values_of(inner[0]) + 's'}"
    if origin is Mapping:
        return f"names, each with {values_of(inner[1])}"
    return WORDS.get(hint, f"settings, see {getattr(hint, '__name__', hint)}")


def default(field: "dataclasses.Field[Any]") -> str:
    """The default of a field, as YAML; of nested settings, only what differs from their own defaults."""
    if field.default is field.default_factory is dataclasses.MISSING:
        return "must be given"
    value = field.default_factory() if callable(field.default_factory) else field.default
    text: str = yaml.safe_dump(brief(value), default_flow_style=True, allow_unicode=True, width=1000)
    return f"`{text.strip().removesuffix('...').strip()}`"


def brief(value: Any) -> Any:
    """Plain values, without what is a default."""
    if isinstance(value, Mapping):
        return {key: brief(item) for key, item in value.items()}
    if not dataclasses.is_dataclass(value) or isinstance(value, type):
        return plain(value)
    usual, name = type(value)(), plain(value).get("name")
    differing = {f.name: getattr(value, f.name) for f in dataclasses.fields(value)}
    chosen = {key: brief(item) for key, item in differing.items() if item != getattr(usual, key)}
    return chosen if name is None else {"name": name, **chosen}


def results(name: str | None) -> str:
    """The table of one folder of records; without a name, of every folder, and how each was made."""
    if name is not None:
        return "\n".join(markdown(grid(table)) for table in tables(RECORDS / name)) or NOTHING
    folders = sorted({path.relative_to(RECORDS).parts[0] for path in RECORDS.rglob(RECORD)})
    return "\n".join(section(RECORDS / folder) for folder in folders) or NOTHING


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
    for table in tables(RECORDS / name):
        for row in table.rows:
            records = [run.record for run in row.runs if run.record.tokens is not None]
            if row.role != "teacher" and records:
                cells = [spread([read(record) for record in records]) for read in TOKENS.values()]
                lines.append(f"| {row.label} | {' | '.join(map(shown, cells))} |")
    return "\n".join(lines) + "\n" if len(lines) > 2 else NOTHING


def schedules(name: str) -> str:
    """What each schedule of one folder of records came to and took, and what the score foretold."""
    if not any((RECORDS / name).rglob(RECORD)):
        return NOTHING
    return "\n".join(map(markdown, schedule_grids(find_records([RECORDS / name])))) or NOTHING


def studies(_: str | None) -> str:
    """What each study that comes with the package is, and its number of runs at each scale."""
    lines = ["| study | what it is | runs, small | runs, paper |", "|---|---|---:|---:|"]
    for name, line in catalog("studies").items():
        found = [read_study(name, [f"scale={scale}"]) for scale in ("small", "paper")]
        numbers = [str(len(study_cells(study, Path()))) for study in found]
        lines.append(f"| `{name}` | {' | '.join([line, *numbers])} |")
    return "\n".join(lines) + "\n"


def shown(value: Spread | None) -> str:
    """Mean and sample standard deviation."""
    if value is None:
        return "–"
    return f"{value.mean:.3g}" if value.sd is None else f"{value.mean:.3f} ± {value.sd:.3f}"


def tables(folder: Path) -> tuple[Comparison, ...]:
    """The comparison of the runs below a folder, in the order of the recipe that lies there."""
    if not any(folder.rglob(RECORD)):
        return ()
    recipe = folder / "recipe.yaml"
    order = tuple(yaml.safe_load(recipe.read_text())["methods"]) if recipe.is_file() else ()
    return compare(find_records([folder]), order=order)


def section(folder: Path) -> str:
    """Everything about one folder of records."""
    parts = [f"## {folder.name}\n"]
    for table in tables(folder):
        sure = certainty(table)
        parts += [markdown(grid(table)), *([] if sure is None else [markdown(sure)])]
        parts += [origin(table.runs), markdown(details(table))]
    return "\n".join(parts)


def origin(runs: Sequence[RunFolder]) -> str:
    """How, from what and where the numbers of a table were made."""
    records = [run.record for run in runs]
    lines = [
        ("Command", listed(f"`{record.command}`" for record in records)),
        ("Seeds", listed(str(seed) for seed in sorted({record.seed for record in records}))),
        ("Methods", listed(f"{record.name}: `{settings(record)}`" for record in records)),
        ("Commit", listed(commit(record) for record in records)),
        ("Machine", listed(machine(record) for record in records)),
        ("Data", listed(note for record in records for note in record.task.notes)),
    ]
    return "\n".join(f"- {title}: {text}" for title, text in lines if text) + "\n"


def benchmark(name: str) -> str:
    """What the newest run of a benchmark measured: a table a setting, a line a way, a column a measure."""
    with MEASURED.open(newline="", encoding="utf-8") as file:
        lines = [line for line in csv.DictReader(file) if line["benchmark"] == name]
    newest = {line["setting"]: line["date"] for line in lines}  # later lines are newer
    parts = []
    for setting, date in newest.items():
        found = [line for line in lines if line["setting"] == setting and line["date"] == date]
        values = {(line["way"], line["measure"]): line["value"] for line in found}
        ways, measures = (list(dict.fromkeys(names)) for names in zip(*values, strict=True))
        rows = [[way, *(values.get((way, measure), "–") for measure in measures)] for way in ways]
        head = ["", *measures]
        table = [head, ["---", *["---:"] * len(measures)], *rows]
        one = found[0]
        place = f"{one['device']} ({one['processor']}), {one['threads']} threads, torch {one['torch']}"
        parts.append(f"**{setting}** ({date} UTC, commit {one['commit'][:10]}, {place})\n")
        parts.append("\n".join(f"| {' | '.join(row)} |" for row in table) + "\n")
    return "\n".join(parts)


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


KINDS: Mapping[str, Callable[[Any], str]] = types.MappingProxyType(
    {
        "fields": fields,
        "results": results,
        "tokens": tokens,
        "schedules": schedules,
        "studies": studies,
        "benchmark": benchmark,
    }
)
"""What writes each kind of part."""


def main() -> None:
    """Write every page whose parts have changed."""
    for path in pages():
        text = path.read_text(encoding="utf-8")
        if (new := made(text)) != text:
            write_text(path, new)


if __name__ == "__main__":
    main()
