"""The parts of the pages that are made from code and from records. Run it with `make docs`.

A page marks such a part by two comments, and what stands between them is replaced:

    <!-- fields lmdistill.methods.kd.KD --> ... <!-- /fields -->    a dataclass, field by field
    <!-- results sst2-10pct --> ... <!-- /results -->               the table of results/sst2-10pct
    <!-- results --> ... <!-- /results -->                          every table, and where it comes from
    <!-- tokens stories --> ... <!-- /tokens -->                    easy and hard tokens of results/stories
    <!-- schedules sst2 --> ... <!-- /schedules -->                schedules of results/sst2 side by side
    <!-- overview mixkd-table1 --> ... <!-- /overview -->           its methods and tasks in one table
    <!-- costs mixkd-table2 --> ... <!-- /costs -->                 sizes, operations and latencies
    <!-- seeds mixkd-table5 --> ... <!-- /seeds -->                 how far its seeds lie apart
    <!-- separation mixkd-figure2 --> ... <!-- /separation -->     how far apart networks put the classes
    <!-- figures mixkd-figure1 training-rows --> ...                its pictures whose names begin so
    <!-- verdicts --> ... <!-- /verdicts -->                        how much of docs/claims.yaml agrees
    <!-- claims mixkd --> ... <!-- /claims -->                      each claim in it beside records
    <!-- studies --> ... <!-- /studies -->                         the studies that come with the package
    <!-- benchmark mixkd_step --> ... <!-- /benchmark -->           the newest run of a script in benchmarks/

Pictures are files in `docs/figures`, and the numbers of overviews, costs and seeds in `docs/tables`.
"""

import re
import types
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from docs.build import paths
from docs.build.benchmark_table import benchmark
from docs.build.claim_verdicts import claims, verdicts
from docs.build.dataclass_tables import fields
from docs.build.figures import figures, write_figures
from docs.build.paper_tables import WRITTEN, costs, overview, seeds, separation, write_tables
from docs.build.results import results, schedules, tokens
from docs.build.studies import studies
from lmdistill.core.atomic_io import write_text

KINDS: Mapping[str, Callable[[Any], str]] = types.MappingProxyType(
    {
        "fields": fields,
        "results": results,
        "tokens": tokens,
        "schedules": schedules,
        "overview": overview,
        "costs": costs,
        "seeds": seeds,
        "separation": separation,
        "figures": figures,
        "verdicts": verdicts,
        "claims": claims,
        "studies": studies,
        "benchmark": benchmark,
    }
)
"""What writes each kind of part."""

PART = re.compile(rf"(<!-- ({'|'.join(KINDS)})(?: ([^\n]+?))? -->\n)(.*?)(<!-- /\2 -->)", re.DOTALL)


def pages() -> list[Path]:
    """Every page that may have such parts."""
    return [paths.REPO / "README.md", *sorted((paths.REPO / "docs").rglob("*.md"))]


def made(text: str) -> str:
    """The text of a page with its parts made anew; making it twice changes nothing."""

    def part(found: re.Match[str]) -> str:
        opening, kind, name, _, closing = found.groups()
        return f"{opening}{KINDS[kind](name)}{closing}"

    return PART.sub(part, text)


def main() -> None:
    """Write every page whose parts have changed, and the files of pictures and tables."""
    texts = {path: path.read_text(encoding="utf-8") for path in pages()}
    for path, text in texts.items():
        if (new := made(text)) != text:
            write_text(path, new)
    asked = sorted(
        {(kind, name) for text in texts.values() for _, kind, name, *_ in PART.findall(text) if name}
    )
    write_figures([name for kind, name in asked if kind == "figures"])
    write_tables([(kind, name) for kind, name in asked if kind in WRITTEN])


if __name__ == "__main__":
    main()
