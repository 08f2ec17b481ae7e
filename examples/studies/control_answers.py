"""Controls for answers of a teacher: its hard labels, and its answers shuffled among the texts.

    lmdistill predict TEACHER texts.csv --out answers.csv
    python examples/studies/control_answers.py answers.csv

Beside answers.csv it writes answers-hard.csv, where the most probable class has probability 1, and
answers-shuffled.csv, where each text has the answer of another, drawn with seed 0. Both have the columns of
answers.csv, so either can be the `teacher.answers` of a recipe.
"""

import csv
import random
import sys
from pathlib import Path

PREFIX = "p_"
"""Beginning of the names of columns with probabilities."""

PREDICTED = "predicted"
"""Column with the most probable class."""


def hard(rows: list[dict[str, str]], columns: list[str]) -> list[dict[str, str]]:
    """The rows with probability 1 for the most probable class, the first one of equals."""
    best = [max(columns, key=lambda column, row=row: float(row[column])) for row in rows]
    return [
        row | {column: str(int(column == top)) for column in columns}
        for row, top in zip(rows, best, strict=True)
    ]


def shuffled(rows: list[dict[str, str]], columns: list[str]) -> list[dict[str, str]]:
    """The rows with their answers in another order."""
    order = random.Random(0).sample(range(len(rows)), len(rows))
    answer = [PREDICTED, *columns]
    return [
        row | {name: rows[other][name] for name in answer} for row, other in zip(rows, order, strict=True)
    ]


def main(path: Path) -> None:
    """Write both files."""
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    columns = [column for column in rows[0] if column.startswith(PREFIX)]
    for name, made in (("hard", hard(rows, columns)), ("shuffled", shuffled(rows, columns))):
        with path.with_stem(f"{path.stem}-{name}").open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, rows[0].keys())
            writer.writeheader()
            writer.writerows(made)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
