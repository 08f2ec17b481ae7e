"""What benchmarks have measured."""

import csv

from docs.build import paths


def benchmark(name: str) -> str:
    """What the newest run of a benchmark measured: a table a setting, a line a way, a column a measure."""
    with paths.MEASURED.open(newline="", encoding="utf-8") as file:
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
