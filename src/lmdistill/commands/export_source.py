"""What is exported: the network of a run or a model, with texts to check and to calibrate it on."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from jaxtyping import Int, UInt64

from lmdistill.commands.export_checks import CheckTexts, Logits
from lmdistill.commands.open_model import Opened, open_model
from lmdistill.commands.predict import answers_of, network_answers
from lmdistill.commands.text_model import TextModel, texts_in_file
from lmdistill.core.errors import ConfigError
from lmdistill.core.seeding import generator
from lmdistill.data.batching.tokenizer_checks import longest_input
from lmdistill.data.files.text import require_file
from lmdistill.data.tasks.plain_rows import labels_of, texts_of
from lmdistill.data.tasks.task import Task
from lmdistill.data.tasks.text_hashes import hashes_of
from lmdistill.export.openvino_graph import MOST_TEXTS
from lmdistill.linear.classifier import is_linear
from lmdistill.models.classifier import Network
from lmdistill.models.loading.classifier import load
from lmdistill.records.seen_texts import seen_texts
from lmdistill.runs.classification.data import load_whole, own_settings
from lmdistill.runs.classification.teacher import matched
from lmdistill.serving.manifest import Answers, Origin


@dataclass(frozen=True, kw_only=True)
class ExportSource:
    """A network to export, and the texts that its graphs are checked on."""

    network: Network
    """In float32 and in evaluation mode."""

    place: str
    """Folder or hub id of its weights."""

    length: int
    """Longest input in tokens."""

    texts: CheckTexts
    """What the graphs are checked on."""

    samples: CheckTexts
    """What 8-bit ranges are taken from."""

    columns: tuple[str, ...]
    """Text columns that it was trained on; () if they are not known."""

    origin: Origin
    """What the folder says of it."""

    hashes: Mapping[str, Sequence[UInt64[np.ndarray, " _"]]] = field(default_factory=dict)
    """Hashes of the texts that trained or chose it, or chose its 8-bit ranges or thresholds, by use."""

    task: Task | None = None
    """Its task; None if only texts are known."""

    teacher: str | None = None
    """Folder or hub id of its teacher."""

    @property
    def answers(self) -> Answers:
        """What its outputs mean."""
        return answers_of(self.network)

    def teacher_logits(self) -> Logits | None:
        """Logits of its teacher for the texts; None without one, and for a linear teacher."""
        if self.teacher is None or self.task is None or is_linear(Path(self.teacher)):
            return None
        teacher = matched(load(self.teacher), self.task, self.length).float().eval()
        length = min(self.length, longest_input(teacher.tokenizer, teacher.positions))
        return network_answers(teacher, length)(self.texts.first, self.texts.second)

    def calibration(self, inputs: Sequence[str]) -> list[dict[str, Int[np.ndarray, "1 _"]]]:
        """Inputs of the graph for a draw of texts, one text each."""
        size = len(self.samples.first)
        drawn = sorted(generator(0, "calibration").permutation(size)[:MOST_TEXTS].tolist())
        first, second = self.samples.chosen(drawn)
        found = []
        for row, one in enumerate(first):
            encoded = self.network.tokenizer(
                one,
                None if second is None else second[row],
                truncation="longest_first",
                max_length=self.length,
                return_token_type_ids="token_type_ids" in inputs,
            )
            found.append({name: np.array([encoded[name]], dtype=np.int64) for name in inputs})
        return found


def open_source(
    target: str | Path, overrides: Sequence[str], calibration: Path | None, text: Sequence[str]
) -> ExportSource:
    """Open what is to be exported.

    Args:
        target: A run folder, a model folder, a hub id.
        overrides: `a.b=value` for task and data.
        calibration: File of texts; the training texts of the task if None.
        text: Columns of its text or pair; inferred when empty.

    Raises:
        ConfigError: If there is neither a task nor a file of texts, or columns without a file.
    """
    if text and calibration is None:
        raise ConfigError(f"--text {text[0]} names a column of --calibration, which is missing. Add it.")
    if calibration is not None:
        require_file(calibration)
    opened = open_model(target, overrides)
    if opened.task is None and calibration is None:
        raise ConfigError(
            f"{target} is no run, so there are no texts to check it on. Add --calibration FILE, or --set "
            "task=NAME and --set data.source=FILE."
        )
    given = None if calibration is None else _texts(opened, calibration, text)
    if opened.task is None:
        assert given is not None
        return _source(opened, opened.network, given, given, None)
    task = load_whole(opened.task, opened.data)
    network = matched(opened.network, task, opened.data.max_length, who=opened.who)
    return _source(opened, network, dev_texts(task), given or training_texts(task), task)


def dev_texts(task: Task) -> CheckTexts:
    """The texts and labels of the first dev split."""
    rows = task.split(task.spec.splits[0])
    first, second = texts_of(rows, pair=task.is_pair)
    name = "dev rows" if task.spec.splits[0] == "dev" else f"{task.spec.splits[0]} rows"
    return CheckTexts(first=first, second=second, source=name, spec=task.spec, labels=labels_of(rows))


def _source(
    opened: Opened, network: Network, texts: CheckTexts, samples: CheckTexts, task: Task | None
) -> ExportSource:
    """The network in float32, with its texts."""
    data = {} if task is None else {"data": opened.data.source, **own_settings(opened.data)}
    return ExportSource(
        network=network.float().eval(),
        place=opened.place,
        length=min(opened.data.max_length, longest_input(network.tokenizer, network.positions)),
        texts=texts,
        samples=samples,
        columns=opened.columns,
        origin=Origin(model=opened.place, task=opened.task, data=data),
        hashes=_hashes(Path(opened.place), texts, samples),
        task=task,
        teacher=opened.teacher,
    )


def _hashes(place: Path, texts: CheckTexts, samples: CheckTexts) -> dict[str, list[UInt64[np.ndarray, " _"]]]:
    """Hashes of the texts of the run of a model, and of those that the export looks at."""
    found = {name: [one] for name, one in seen_texts(place).items()}
    for name, some in (("dev", texts), ("calibration", samples)):
        second = [""] * len(some.first) if some.second is None else some.second
        found.setdefault(name, []).append(hashes_of(some.first, second))
    return found


def training_texts(task: Task) -> CheckTexts:
    """The texts of the training rows, of which 8-bit ranges need a few hundred."""
    rows = task.train
    drawn = generator(0, "calibration rows").permutation(rows.num_rows)[:MOST_TEXTS]
    first, second = texts_of(rows.select(sorted(drawn.tolist())), pair=task.is_pair)
    return CheckTexts(first=first, second=second, source="training texts")


def _texts(opened: Opened, calibration: Path, text: Sequence[str]) -> CheckTexts:
    """The texts of the user's file."""
    network = opened.network
    model = TextModel(
        source=opened.place,
        answers=answers_of(network),
        columns=opened.columns,
        load=lambda: network_answers(network, 1),
    )
    first, second = texts_in_file(calibration, model, text)
    return CheckTexts(first=first, second=second, source=f"texts of {calibration.name}")
