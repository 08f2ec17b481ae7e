"""What tells runs of one row apart, and what can be measured of a run beside its headline."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from lmdistill.analysis.metric_format import metric_format
from lmdistill.analysis.significance import Value
from lmdistill.records.record import Record, RecordedRun

NEW_ROWS: Mapping[str, str] = MappingProxyType(
    {"apertium": "BT", "marian": "BT", "eda": "DA", "masked": "DA", "wordnet": "DA"}
)
"""What the papers call augmenters."""


def _data(record: Record) -> Mapping[str, Any]:
    """Where the data of a classifier came from."""
    found = record.recipe.get("data")
    return found if isinstance(found, dict) else {}


def _augmentation(run: RecordedRun) -> str:
    """BT, DA or none."""
    found = _data(run.record).get("augmentation")
    if not isinstance(found, dict):
        return "none"
    augmenter = found.get("augmenter")
    name = str(augmenter.get("name") if isinstance(augmenter, dict) else augmenter)
    return NEW_ROWS.get(name, name)


FACETS: Mapping[str, Callable[[RecordedRun], Any]] = MappingProxyType(
    {
        "task": lambda run: run.record.task.name,
        "layers": lambda run: run.record.student.layers,
        "augmentation": _augmentation,
        "fraction": lambda run: _data(run.record).get("fraction"),
        "rows": lambda run: _data(run.record).get("rows"),
        "keep": lambda run: None if run.record.schedule is None else run.record.schedule.keep,
    }
)
"""Settings by which runs are kept apart unless a claim says which it means."""


def facet(run: RecordedRun, name: str) -> Any:
    """One setting of a run; `method.NAME` is a field of its method."""
    if name.startswith("method."):
        return run.record.method.get(name.removeprefix("method."))
    return FACETS[name](run)


def setting_text(run: RecordedRun) -> str:
    """The task, how much of it was learned from, and how much of the teacher is left."""
    record = run.record
    parts = [record.task.name]
    if "train" in record.task.rows:
        parts.append(f"{record.task.rows['train']:,} rows")
    if record.schedule is not None and record.schedule.keep < 1:
        parts.append(f"{100 * record.schedule.keep:g} % kept")
    elif record.teacher is not None:
        parts.append(f"{record.student.layers} of {record.teacher.layers} layers")
    if (new := _augmentation(run)) != "none":
        parts.append(new)
    return ", ".join(parts)


@dataclass(frozen=True, kw_only=True)
class Measure:
    """A number of a run beside its headline."""

    read: Callable[[Record], Value]
    """Where it stands in the record."""

    lower_is_better: bool = False
    """Whether a small value is a good one."""

    scale: float = 1.0
    """What it is multiplied by before it is shown."""

    digits: int = 2
    """Decimals."""

    @property
    def sign(self) -> int:
        """Makes larger better."""
        return -1 if self.lower_is_better else 1

    def text(self, value: Value) -> str:
        """The number as a reader sees it."""
        return "–" if value is None else f"{self.scale * value:.{self.digits}f}"


def _speedup(record: Record) -> Value:
    """In batches of 16, as the paper's."""
    slow = None if record.teacher is None else record.teacher.latency.get("16")
    fast = record.student.latency.get("16")
    return None if slow is None or fast is None else slow.p50_ms / fast.p50_ms


SCORES: Mapping[str, Measure] = MappingProxyType(
    {
        "ROUGE-L": Measure(read=lambda record: (record.written or {}).get("rouge_l"), scale=100),
        "calibration error": Measure(
            read=lambda record: None if record.calibration is None else record.calibration.ece,
            lower_is_better=True,
            scale=100,
        ),
        "teacher-steps": Measure(
            read=lambda record: None if record.schedule is None else record.schedule.work.teacher_steps,
            lower_is_better=True,
            digits=0,
        ),
        "speed-up": Measure(read=_speedup),
    }
)
"""By the name that claims give them."""


def headline(run: RecordedRun) -> Measure:
    """The headline metric of a run as a measure."""
    split, metric = run.record.headline
    shown = metric_format(metric)
    return Measure(
        read=lambda record: record.metrics.get(split, {}).get(metric),
        lower_is_better=shown.lower_is_better,
        scale=float(shown.scale),
        digits=shown.digits,
    )
