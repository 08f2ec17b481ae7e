"""Keep finished runs in `results/`, which the numbers of the pages are made from.

    python -m docs.build.add_results runs/sst2 --to results/sst2

Each run keeps `record.json`, which holds its recipe, and the other files that tables and pictures need. The
predictions of all runs go into one `predictions.parquet` above them. The folder above the runs keeps
`study.yaml` or `recipe.yaml`, which give the order of rows, and `trials.json`, which marks scores as selected
on dev. `--also FILE` keeps another file of each run. `--decimals N` rounds logits, if that changes no
predicted class. Folders are renamed to lower case letters, digits, dots and dashes. Run `make docs` then.
"""

import argparse
import re
import shutil
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from lmdistill.core.atomic_io import atomic_folder
from lmdistill.core.errors import ConfigError
from lmdistill.records.benchmarks import BENCHMARKS
from lmdistill.records.predictions import PREDICTIONS, Prediction, read_predictions
from lmdistill.records.predictions_parquet import PARQUET, read_parquet, write_parquet
from lmdistill.records.record import RECORD, TRIALS, find_records
from lmdistill.records.representation_map import MAP
from lmdistill.runs.run_folder import RECIPE
from lmdistill.studies.schema import FILE as STUDY

KEPT = (RECORD, MAP, BENCHMARKS)
"""Files of a run that are copied where they exist."""

SHARED = (STUDY, RECIPE, TRIALS)
"""Files of the folder above a run, the same for all of its runs."""


def folder_name(name: str) -> str:
    """A name in lower case of letters, digits and dots, with a dash for anything else.

    Raises:
        ConfigError: If nothing of the name is left.

    Examples:
        >>> folder_name("mrpc-layers=3-augmentation=none-SM+TMKD-seed0")
        'mrpc-layers-3-augmentation-none-sm-tmkd-seed0'
    """
    plain = re.sub(r"[^a-z0-9.]+", "-", name.lower()).strip("-.")
    if not plain:
        raise ConfigError(f"the folder {name!r} has no letter and no digit in its name. Rename it.")
    return plain


def add_results(
    runs: Iterable[Path], to: Path, *, also: Sequence[str] = (), decimals: int | None = None
) -> list[Path]:
    """Copy what is kept of finished runs into a folder of results.

    Args:
        runs: Run folders, or folders of run folders to any depth.
        to: Where the runs go, `results/NAME`; runs that are there already stay.
        also: More files to keep of each run that has them, such as `history.jsonl`.
        decimals: Digits after the point of the logits that are kept; None keeps all.

    Returns:
        The new folders.

    Raises:
        ConfigError: If two runs would get one name, if a run of that name is there already, or if the runs
            come from different studies, or if rounding changes a predicted class. Nothing is written then.
        RunError: If there is no run, or one cannot be read.
    """
    found = _named(runs)
    for name, run in found.items():
        if (to / name).exists():
            raise ConfigError(f"{to / name} exists. Remove it first, or add {run} to another folder.")
    shared = _shared(found.values(), to)
    predictions = _kept_predictions(to)
    new = {name: read_predictions(run / PREDICTIONS) for name, run in found.items()}
    predictions |= {name: [_rounded(one, decimals, name) for one in some] for name, some in new.items()}
    write_parquet(to / PARQUET, {name: predictions[name] for name in sorted(predictions)})
    for path in shared:
        shutil.copyfile(path, to / path.name)
    for name, run in found.items():
        with atomic_folder(to / name) as folder:
            for file in (*KEPT, *also):
                if (run / file).is_file():
                    shutil.copyfile(run / file, folder / file)
    return [to / name for name in found]


def _named(runs: Iterable[Path]) -> dict[str, Path]:
    """Run folders by their new names."""
    found: dict[str, Path] = {}
    for given in runs:
        for run in find_records([given]):
            parts = run.path.relative_to(given).parts or (given.resolve().name,)
            name = folder_name("-".join(parts))
            if name in found:
                raise ConfigError(f"{found[name]} and {run.path} would both be called {name}. Rename one.")
            found[name] = run.path
    return found


def _shared(runs: Iterable[Path], to: Path) -> list[Path]:
    """Files above the runs that `to` does not have yet."""
    found: dict[str, Path] = {path.name: path for name in SHARED if (path := to / name).is_file()}
    for parent in dict.fromkeys(run.resolve().parent for run in runs):
        for name in SHARED:
            path = parent / name
            if path.is_file():
                other = found.setdefault(name, path)
                if other.read_bytes() != path.read_bytes():
                    raise ConfigError(
                        f"{path} and {other} differ. Add the runs of each to a folder of its own."
                    )
    return [path for path in found.values() if path.parent != to]


def _rounded(one: Prediction, decimals: int | None, name: str) -> Prediction:
    """A prediction with rounded logits: large test sets of many runs are kept in less space.

    Raises:
        ConfigError: If another class would be predicted, or if an example has several labels.
    """
    if decimals is None:
        return one
    if one.labels is not None:
        raise ConfigError(f"{name} has several labels for an example. Leave --decimals out.")
    short = {
        who: None if logits is None else tuple(round(value, decimals) for value in logits)
        for who, logits in (("student", one.student), ("teacher", one.teacher))
    }
    for who, logits in (("student", one.student), ("teacher", one.teacher)):
        kept = short[who]
        if logits is not None and kept is not None and np.argmax(kept) != np.argmax(logits):
            raise ConfigError(
                f"{name}: the {who}'s class of example {one.example} is another one with {decimals} "
                "decimals. Keep more."
            )
    return replace(one, **short)  # type: ignore[arg-type]


def _kept_predictions(to: Path) -> dict[str, list[Prediction]]:
    """Predictions of the runs that are in the folder already, without those of removed runs."""
    known = read_parquet(to / PARQUET) if (to / PARQUET).is_file() else {}
    return {name: rows for name, rows in known.items() if (to / name / RECORD).is_file()}


def main(arguments: Sequence[str] | None = None) -> None:
    """Read the command line and add the runs."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("runs", nargs="+", type=Path, metavar="RUN", help="a run folder, or a folder of them")
    parser.add_argument("--to", required=True, type=Path, metavar="results/NAME", help="where the runs go")
    parser.add_argument(
        "--also", action="append", default=[], metavar="FILE", help="one more file of each run"
    )
    parser.add_argument("--decimals", type=int, help="digits after the point of logits that are kept")
    chosen = parser.parse_args(arguments)
    add_results(chosen.runs, chosen.to, also=chosen.also, decimals=chosen.decimals)


if __name__ == "__main__":
    main()
