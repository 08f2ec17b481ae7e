"""Search for a learning rate: short training runs, judged on training rows that are held out."""

import logging
import math
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, cast

import numpy as np
from jaxtyping import Int

from lmdistill.core.atomic_io import read_json, write_json
from lmdistill.core.errors import DataError, DivergedError
from lmdistill.core.fingerprint import fingerprint
from lmdistill.core.progress import announce
from lmdistill.core.protocols import Net
from lmdistill.core.seeding import generator
from lmdistill.engine.accelerator import make_accelerator
from lmdistill.engine.callbacks import Callbacks
from lmdistill.engine.distributed import broadcast_from_main, on_main_process, process_state
from lmdistill.engine.fit import fit
from lmdistill.models import model_stats
from lmdistill.models.causal_lm import AnyNetwork
from lmdistill.recipes.serialization import plain
from lmdistill.runs.expand import AnyRecipe, Cell
from lmdistill.runs.stage import EncodedData, Stage

log = logging.getLogger("lmdistill")

FACTORS = (0.1, 0.3, 1.0, 3.0, 10.0)
"""The rates that are tried, as multiples of the recipe's; each has one significant digit."""

STEPS = 100
"""Largest number of optimizer steps of a probe."""

HELD_SHARE, MOST_HELD = 0.1, 256
"""Share of the training rows that judge a probe, and their largest number."""

NEVER = 10**9
"""Steps between evaluations and checkpoints of a probe, which has none."""


@dataclass(frozen=True, kw_only=True)
class RateSearch:
    """What a search for a learning rate found."""

    losses: Mapping[float, float]
    """Learning rate -> mean loss on held-out training rows, infinite where training diverged."""

    steps: int
    """Optimizer steps of each probe."""

    held: int
    """Number of training rows that were held out."""

    @property
    def best(self) -> float:
        """The rate with the lowest loss; the smaller one of two."""
        return min(self.losses, key=lambda rate: (self.losses[rate], rate))

    @property
    def is_at_edge(self) -> bool:
        """Whether the best rate is the smallest or the largest that was tried."""
        return self.best in (min(self.losses), max(self.losses))


def rates_around(rate: float) -> tuple[float, ...]:
    """The rates to try, smallest first, each with one significant digit.

    Examples:
        >>> rates_around(3e-3)
        (0.0003, 0.0009, 0.003, 0.009, 0.03)
    """
    return tuple(float(f"{factor * rate:.0e}") for factor in FACTORS)


def search_rate(prepared: Any, cell: Cell[AnyRecipe], cache: Path) -> RateSearch:
    """Try learning rates for the first method of a recipe; the dev rows are never read.

    Every rate trains a new student for the same few steps, and the mean loss of the held-out training rows
    (cross-entropy or nats per token; squared error of scores) judges it. A search that was interrupted goes
    on, and one with the same inputs is read from `cache`.

    Args:
        prepared: The recipe with its data loaded and its teacher trained, a `PreparedRecipe`.
        cell: The method and the seed to try.
        cache: Folder of results.

    Raises:
        DataError: There are fewer than two training rows.
        DivergedError: No rate gives a finite loss.
    """
    stage: Stage[Any] = prepared.stage(cell)
    data = stage.adapter.encode(stage.student, stage.teacher)
    train, held = _split(data.num_train, data.labelled_rows, cell)
    steps = min(STEPS, data.feed(stage.method, stage.training).total_steps)
    path = cache / f"rates-{_key(stage, cell, steps)}.json"
    known = on_main_process(lambda: _known(path))
    rates = rates_around(cell.training.optimizer.rate)
    for rate in (rate for rate in rates if str(rate) not in known):
        probe = replace(prepared.stage(cell), training=_short(cell, rate, steps, len(train)))
        known[str(rate)] = broadcast_from_main(_probe(probe, train, held))
        on_main_process(partial(write_json, path, known))
    losses = {rate: math.inf if (loss := known[str(rate)]) is None else loss for rate in rates}
    found = RateSearch(losses=losses, steps=steps, held=len(held))
    if not math.isfinite(losses[found.best]):
        raise DivergedError(
            f"training diverges at every learning rate from {min(losses):g} to {max(losses):g}. Set "
            "training.optimizer.learning_rate to a smaller one, or check the data."
        )
    if found.is_at_edge:
        log.warning(
            "the best learning rate, %g, is at the edge of those that were tried. Set "
            "training.optimizer.learning_rate to it and search again to go on from there.",
            found.best,
        )
    return found


def _key(stage: Stage[Any], cell: Cell[Any], steps: int) -> str:
    """A fingerprint of everything that decides the result of a search."""
    networks = [model_stats.fingerprint(one) for one in (stage.student, stage.teacher) if one is not None]
    settings = (list(FACTORS), steps, HELD_SHARE, MOST_HELD)
    return fingerprint(plain(cell.recipe), stage.adapter.fingerprint, networks, *settings)


def _split(rows: int, labelled: Int[np.ndarray, " k"], cell: Cell[Any]) -> tuple[list[int], list[int]]:
    """Numbers of the training rows to learn from, and of the labelled ones that are held out."""
    held = min(MOST_HELD, max(1, round(HELD_SHARE * len(labelled))))
    if len(labelled) < 2:
        raise DataError(f"{len(labelled)} training rows are too few to hold some out for a search. Add rows.")
    rng = generator(cell.seed, "find rate")
    order = labelled[rng.permutation(len(labelled))]
    others = order[held:]
    if len(labelled) < rows:
        others = rng.permutation(np.setdiff1d(np.arange(rows), order[:held]))
    most = max(1, STEPS * cell.training.batch_size)
    return np.sort(others[:most]).tolist(), np.sort(order[:held]).tolist()


def _short(cell: Cell[Any], rate: float, steps: int, rows: int) -> Any:
    """Training settings of a probe: about `steps` steps on `rows` rows."""
    settings = cell.training
    each = max(1, -(-rows // settings.batch_size))
    optimizer = replace(settings.optimizer, learning_rate=rate)
    return replace(
        settings,
        epochs=max(1, round(steps / each)),
        min_steps=0,
        max_steps=None,
        optimizer=optimizer,
        eval_every=NEVER,
        checkpoint_every=NEVER,
        keep="last",
        patience=0,
    )


def _known(path: Path) -> dict[str, float | None]:
    """Losses by rate that an earlier search found; None where it diverged."""
    try:
        return dict(read_json(path))
    except (OSError, ValueError, TypeError):
        return {}


@contextmanager
def _scratch() -> Iterator[Path]:
    """A folder for the checkpoint of a probe, the same on every process."""
    with tempfile.TemporaryDirectory() as own:
        yield Path(broadcast_from_main(own)) / "probe"
        process_state().wait_for_everyone()  # until all have written


def _probe(stage: Stage[AnyNetwork], train: list[int], held: list[int]) -> float | None:
    """The loss on held-out rows after a short training run; None if it diverges."""
    rate, accelerator = stage.training.optimizer.rate, make_accelerator(stage.training)
    announce(f"{stage.name}: trying the learning rate {rate:g}")
    data: EncodedData[AnyNetwork] = stage.adapter.encode(stage.student, stage.teacher).select(train, held)
    feed = data.feed(stage.method, stage.training)
    with _scratch() as folder, suppress(DivergedError):
        fit(
            stage.method,
            stage.student,
            stage.taught_by,
            feed,
            training=stage.training,
            accelerator=accelerator,
            folder=folder,
            watch=Callbacks(),
        )
        with suppress(DataError):  # logits that are not finite are refused
            loss = data.loss(cast(Net, stage.student), str(accelerator.device))
            return loss if math.isfinite(loss) else None
    return None
