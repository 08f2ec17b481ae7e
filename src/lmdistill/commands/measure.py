"""Size, latency and memory of models: MixKD's Table 2 on this machine."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import torch

from lmdistill.commands.measure_exported import graph_candidates
from lmdistill.commands.measured import BATCHES, Candidate, Conditions, Measured, Shape, measure_all
from lmdistill.commands.open_model import open_model
from lmdistill.core.batch import Inputs
from lmdistill.core.errors import ConfigError
from lmdistill.engine.accelerator import make_accelerator
from lmdistill.engine.training_settings import Training
from lmdistill.evaluation.process_memory import disk_bytes
from lmdistill.linear.classifier import LinearClassifier, is_linear, load_linear
from lmdistill.models.causal_lm import LanguageNetwork
from lmdistill.models.classifier import Network
from lmdistill.models.loading.classifier import load
from lmdistill.models.model_stats import count_parameters, flops, stored_bytes
from lmdistill.runs.classification.linear_model import linear_parameters
from lmdistill.serving.manifest import is_exported


def measure(targets: Sequence[str | Path], *, tokens: int = 64, runs: int = 30) -> list[Measured]:
    """Measure the students of runs, each followed once by its teacher, and other models.

    Args:
        targets: Run folders, model folders, exported folders, hub ids.
        tokens: Length of the random texts, >= 1.
        runs: Timed passes of each model and batch size, >= 1.

    Raises:
        ConfigError: If a network cannot read texts of this length.
    """
    device = make_accelerator(Training()).device
    found: dict[str, Candidate] = {}
    for target in map(str, targets):
        if is_exported(Path(target)):
            found |= graph_candidates(target, tokens)
        else:
            for name, place in _places(target).items():
                if name not in found:
                    found[name] = _candidate(name, place, tokens, device)
    conditions = Conditions(
        tokens=tokens,
        runs=runs,
        threads=torch.get_num_threads(),
        device=torch.cuda.get_device_name(device) if device.type == "cuda" else str(device),
        wait=None if device.type == "cpu" else partial(torch.accelerator.synchronize, device),
    )
    return measure_all(found, conditions, _nothing)


def _places(target: str) -> dict[str, str]:
    """Where the models of a target are, by name: the student of a run and its teacher, or a model."""
    opened = open_model(target)
    places = {target: opened.place}
    if opened.teacher is not None:
        places[opened.teacher] = opened.teacher
    return places


def _candidate(name: str, place: str, tokens: int, device: torch.device) -> Candidate:
    """A network or a linear model, ready to be measured."""
    size = disk_bytes(Path(place)) if Path(place).is_dir() else None
    answer = partial(_answer_once, place, tokens)
    if is_linear(Path(place)):
        model = load_linear(place)
        shape = Shape(layers=0, parameters=linear_parameters(model), disk_bytes=size)
        linear = {count: partial(model.logits, *_random_words(model, count, tokens)) for count in BATCHES}
        return Candidate(shape=shape, passes=linear, load_and_answer=answer)
    network = load(place).to(device).eval()
    if network.positions is not None and tokens > network.positions:
        raise ConfigError(
            f"--tokens is {tokens} and {name} reads at most {network.positions}. Lower --tokens."
        )
    shape = Shape(
        layers=network.num_layers,
        parameters=count_parameters(network),
        flops=flops(network, tokens),
        disk_bytes=size,
        parts=stored_bytes(network, Path(place)) if Path(place).is_dir() else {},
    )
    passes = {
        count: partial(_answer, network, random_texts(network, count, tokens).to(device)) for count in BATCHES
    }
    return Candidate(shape=shape, passes=passes, load_and_answer=answer)


def _answer(network: Network, inputs: Inputs) -> None:
    """One pass without gradients."""
    with torch.no_grad():
        network(inputs)


def random_texts(network: Network | LanguageNetwork, size: int, tokens: int) -> Inputs:
    """`size` random texts of `tokens` tokens of the network's vocabulary."""
    draw = torch.Generator().manual_seed(0)
    ids = torch.randint(int(network.model.config.vocab_size), (size, tokens), generator=draw)
    return Inputs(ids=ids, mask=torch.ones_like(ids))


def _random_words(model: LinearClassifier, size: int, tokens: int) -> tuple[list[str], list[str] | None]:
    """`size` random texts of `tokens` n-grams of the model's vocabulary, each half of them in a pair."""
    draw = torch.Generator().manual_seed(0)
    terms = next(block.terms for block in model.features.blocks if block.terms)
    rows = torch.randint(len(terms), (size, tokens), generator=draw).tolist()
    whole = [[terms[number] for number in row] for row in rows]
    if not model.features.pairs:
        return [" ".join(row) for row in whole], None
    half = tokens // 2
    return [" ".join(row[:half]) for row in whole], [" ".join(row[half:]) for row in whole]


def _nothing() -> None:
    """Do nothing: the baseline of the memory measurement, with all libraries loaded."""


def _answer_once(place: str, tokens: int) -> None:
    """Load a model and answer one batch."""
    if is_linear(Path(place)):
        model = load_linear(place)
        model.logits(*_random_words(model, max(BATCHES), tokens))
        return
    network = load(place)
    with torch.no_grad():
        network(random_texts(network, max(BATCHES), tokens))
