"""Pruning: save a network without its least important heads and neurons."""

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Generic

from lmdistill.commands.evaluate_language import texts_of
from lmdistill.commands.generate import model_in
from lmdistill.commands.measure import random_texts
from lmdistill.commands.open_model import Opened, open_model, require_finished
from lmdistill.core.batch import Batch
from lmdistill.core.errors import ConfigError, ModelError
from lmdistill.core.file_lock import sole_writer
from lmdistill.data.tasks.label_matching import are_generic, match_labels
from lmdistill.engine.accelerator import make_accelerator
from lmdistill.engine.training_settings import Training
from lmdistill.evaluation.efficiency import latencies
from lmdistill.export.hugging_face import has_modeling_file, save
from lmdistill.models.causal_lm import AnyNetwork, LanguageNetwork
from lmdistill.models.classification_head import reorder_outputs
from lmdistill.models.classifier import Network
from lmdistill.models.loading.causal_lm import is_causal, load_causal
from lmdistill.models.model_stats import count_parameters
from lmdistill.models.pruning.families import family_of, widths_of
from lmdistill.recipes.language_model import Texts
from lmdistill.recipes.parsing import parse
from lmdistill.recipes.pruning import Pruning
from lmdistill.records.record import RECORD, read_record
from lmdistill.runs.classification.data import load_examples
from lmdistill.runs.classification.dataset import read_split, require_fit
from lmdistill.runs.classification.evaluation import LATENCY_PRECISION, LATENCY_RUNS
from lmdistill.runs.classification.schedule_adapter import importance_batches
from lmdistill.runs.classification.teacher import matched
from lmdistill.runs.language import schedule_adapter
from lmdistill.runs.language.data import load_texts
from lmdistill.runs.language.dataset import encode_texts
from lmdistill.runs.schedules.pruning import sliced
from lmdistill.schedules.sparsity import require_kept_fraction

TOKENS = 64
"""Longest random text for the latency measurement, in tokens."""

Rows = Callable[[Pruning], Iterable[Batch]]
"""Loads the rows for importance scores, and puts the network's outputs in the order of the labels."""

log = logging.getLogger("lmdistill")

ADVICE = "Distil it with student.model and student.threshold: dev to choose them anew."
"""What to do with a multi-label network whose outputs have changed."""


@dataclass(frozen=True, kw_only=True)
class Size:
    """Size and latency of a network."""

    heads: int
    """Number of attention heads in all layers."""

    neurons: int
    """Number of feed-forward neurons in all layers."""

    parameters: int
    """Number of all parameters."""

    encoder: int
    """Number of parameters in the layers, the only ones that are pruned."""

    latency_ms: float
    """Median latency of one text, in milliseconds."""


@dataclass(frozen=True, kw_only=True)
class Pruned:
    """A pruned network beside the original one."""

    before: Size
    """Size of the original network."""

    after: Size
    """Size of the pruned network; both are timed in turn."""

    pruning: Pruning
    """Pruning settings, defaults included."""

    tokens: int
    """Length of the timed text in tokens."""

    model: str
    """Name of the saved model class."""

    auto: str
    """Auto class of transformers that loads it."""

    is_carried: bool
    """Whether the folder carries the model class, because transformers has none for this shape."""


@dataclass(frozen=True, kw_only=True)
class _Given(Generic[AnyNetwork]):
    """A network, and how the rows of its task are loaded."""

    network: AnyNetwork
    rows: Rows | None
    scope: str
    ask: str


def prune(
    target: str | Path,
    out: Path,
    *,
    keep: float,
    score: str | None = None,
    scope: str | None = None,
    multiple: int = 8,
    overrides: Sequence[str] = (),
) -> Pruned:
    """Save a network with its most important heads and neurons only; nothing is trained.

    Args:
        target: A run folder, a model folder or a hub id, of a classifier or a causal language model.
        out: Folder of the pruned network, which must not exist; written completely or not at all.
        keep: Fraction of the heads and neurons, in (0, 1].
        score: gradient, activation or magnitude; by default gradient if rows are known, else magnitude.
        scope: global or layer; by default layer for language models, else global.
        multiple: Numbers of neurons are rounded to multiples of this, >= 1.
        overrides: `task=` and `data.name=` for classifiers, `texts.name=` for language models: the rows that
            importance is measured on. A run's own rows are used by default.

    Raises:
        ModelError: If `out` exists, the family cannot be pruned, or no head would be left.
        ConfigError: For a setting out of its range, a score that needs rows without rows, or unused rows.
        MismatchError: If the network predicts other classes than the task's.
        RunError: If another command writes `out`, or the files of the run are not as it wrote them.
    """
    require_kept_fraction("keep", keep)
    wishes = {"score": score, "scope": scope, "multiple": multiple}
    with sole_writer(out):
        if out.exists():
            raise ModelError(f"{out} exists. Choose another --out, or remove it.")
        if _writes(target):
            return _pruned(_writer(target, overrides), out, keep, wishes, overrides)
        return _pruned(_classifier(target, overrides), out, keep, wishes, overrides)


def _pruned(
    given: _Given[AnyNetwork],
    out: Path,
    keep: float,
    wishes: Mapping[str, str | int | None],
    overrides: Sequence[str],
) -> Pruned:
    """Rank the units, prune, measure and save."""
    family_of(given.network)
    usual = {"score": "magnitude" if given.rows is None else "gradient", "scope": given.scope}
    chosen = usual | {name: value for name, value in wishes.items() if value is not None}
    pruning: Pruning = parse(Pruning, chosen)
    _require_rows(given, pruning, overrides)
    network, labels = given.network.to(make_accelerator(Training()).device), given.network.labels
    slices = sliced(network, pruning, batches=given.rows or _no_rows, data="", cache=None)
    small = slices.cut(keep).eval()
    _name_outputs(small, labels)
    tokens = min(TOKENS, int(network.tokenizer.model_max_length))
    before, after = _sizes({"before": network, "after": small}, tokens)
    save(small, out)
    if isinstance(network, Network) and network.thresholds is not None:
        log.warning("%s: the thresholds of its labels were chosen before it was pruned. %s", out, ADVICE)
    return Pruned(
        before=before,
        after=after,
        pruning=pruning,
        tokens=tokens,
        model=type(small.model).__name__,
        auto=f"AutoModelFor{'CausalLM' if isinstance(small, LanguageNetwork) else 'SequenceClassification'}",
        is_carried=has_modeling_file(out),
    )


def _writes(target: str | Path) -> bool:
    """Whether `target` is a language model, or a run of one."""
    folder = Path(target)
    require_finished(folder)
    if (folder / RECORD).is_file():
        return read_record(folder).task.kind == "language"
    return is_causal(target)


def _writer(target: str | Path, overrides: Sequence[str]) -> _Given[LanguageNetwork]:
    """Load the language model `target` and find its texts."""
    texts = texts_of(target, overrides)
    network = load_causal(model_in(target), dtype="auto")
    rows = None if texts is None else _passages(network, texts)
    return _Given(network=network, rows=rows, scope="layer", ask="--set texts.source=FILE")


def _classifier(target: str | Path, overrides: Sequence[str]) -> _Given[Network]:
    """Load the classifier `target` and find its task."""
    opened = open_model(target, overrides)
    if opened.task is None and overrides:
        raise ConfigError(f"{target} is no run, so its task is not known. Add --set task=NAME.")
    rows = None if opened.task is None else _examples(opened)
    ask = "--set task=NAME and --set data.source=FOLDER"
    return _Given(network=opened.network, rows=rows, scope="global", ask=ask)


def _require_rows(given: _Given[AnyNetwork], pruning: Pruning, overrides: Sequence[str]) -> None:
    """Check that rows are named if, and only if, the score is measured on rows."""
    if pruning.score == "magnitude" and overrides:
        raise ConfigError(f"--set {overrides[0]} has no effect on the score magnitude. Leave it out.")
    if pruning.score != "magnitude" and given.rows is None:
        raise ConfigError(
            f"the score {pruning.score} is measured on rows, and none are named. Add {given.ask}, or take "
            "--score magnitude."
        )


def _no_rows(pruning: Pruning) -> Iterable[Batch]:
    """No rows: the magnitude score looks at weights alone."""
    return ()


def _examples(opened: Opened) -> Rows:
    """Loads training rows of a classifier's task."""

    def batches(pruning: Pruning) -> Iterable[Batch]:
        assert opened.task is not None
        whole = load_examples(opened.task, replace(opened.data, augmentation=None), cache=Path()).original
        task = whole.with_train(whole.train.select(pruning.drawn(whole.train.num_rows)))
        length = opened.data.max_length
        require_fit(task, opened.network, None, max_length=length)
        network = matched(opened.network, task, length)
        return importance_batches(read_split(task, "train", network, max_length=length), pruning)

    return batches


def _passages(network: LanguageNetwork, texts: Texts) -> Rows:
    """Loads training passages of a language model."""

    def batches(pruning: Pruning) -> Iterable[Batch]:
        few = replace(texts, rows=min(texts.rows or pruning.rows, pruning.rows))
        return schedule_adapter.importance_batches(
            encode_texts(load_texts(few), network.tokenizer, few), pruning
        )

    return batches


def _name_outputs(network: AnyNetwork, labels: Sequence[str]) -> None:
    """Restore the order and names that a classifier's outputs had before rows were read."""
    if isinstance(network, Network) and network.labels != tuple(labels):
        same = are_generic(labels)
        order = range(len(labels)) if same else match_labels(labels, network.labels)
        reorder_outputs(network, order, labels)


def _sizes(networks: Mapping[str, AnyNetwork], tokens: int) -> tuple[Size, ...]:
    """Sizes and latencies of networks of one vocabulary, timed in turn on one random text."""
    first = next(iter(networks.values()))
    text = random_texts(first, 1, tokens)
    times = latencies(
        networks, text, runs=LATENCY_RUNS, device=first.model.device, precision=LATENCY_PRECISION
    )
    sizes = []
    for name, network in networks.items():
        widths, found = widths_of(network), count_parameters(network)
        sizes.append(
            Size(
                heads=sum(widths.heads),
                neurons=sum(widths.neurons),
                parameters=found.total,
                encoder=found.encoder,
                latency_ms=times[name].p50_ms,
            )
        )
    return tuple(sizes)
