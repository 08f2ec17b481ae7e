"""Size, latency and memory of networks: MixKD's Table 2 on this machine."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch

from lmdistill.commands.open_model import open_model
from lmdistill.core.batch import Inputs
from lmdistill.core.errors import ConfigError
from lmdistill.engine.accelerator import make_accelerator
from lmdistill.engine.training_settings import Training
from lmdistill.evaluation.efficiency import LATENCY_BATCHES, disk_bytes, latencies, peak_memory_of
from lmdistill.evaluation.timing import latency_on_cpu
from lmdistill.linear.classifier import LinearClassifier, is_linear, load_linear
from lmdistill.models.causal_lm import LanguageNetwork
from lmdistill.models.classifier import Network
from lmdistill.models.loading.classifier import load
from lmdistill.models.model_stats import count_parameters, flops
from lmdistill.records.schema import Latency, Parameters
from lmdistill.runs.classification.linear_model import linear_parameters

log = logging.getLogger("lmdistill")


@dataclass(frozen=True, kw_only=True)
class Measured:
    """Measurements of one network."""

    name: str
    """Name in the table."""

    layers: int
    """Number of layers; 0 for a linear model."""

    parameters: Parameters
    """Number of parameters by part."""

    flops: int | None
    """Floating-point operations for one example; None for a linear model."""

    disk_bytes: int | None
    """Bytes of its folder; None for a model of the hub."""

    latency: Mapping[int, Latency]
    """Latency by batch size; all networks are timed in turn."""

    peak_mb: float
    """Megabytes that loading it and one forward pass of 16 examples add to an idle process."""


def measure(targets: Sequence[str | Path], *, tokens: int = 64, runs: int = 30) -> list[Measured]:
    """Measure the students of runs, each followed once by its teacher, and other models.

    Args:
        targets: Run folders, model folders, hub ids.
        tokens: Length of the random texts, >= 1.
        runs: Timed passes of each network and batch size, >= 1.

    Raises:
        ConfigError: If a network cannot read texts of this length.
    """
    places = _places(targets)
    device = make_accelerator(Training()).device
    linear = {name: load_linear(place) for name, place in places.items() if is_linear(Path(place))}
    networks = {name: load(place).to(device) for name, place in places.items() if name not in linear}
    for name, network in networks.items():
        if network.positions is not None and tokens > network.positions:
            raise ConfigError(
                f"--tokens is {tokens} and {name} reads at most {network.positions}. Lower --tokens."
            )
    log.info(
        "timing %s, %d passes each in batches of %s",
        ", ".join(places),
        runs,
        " and ".join(map(str, LATENCY_BATCHES)),
    )
    times = {
        size: {
            **latencies(networks, _views(networks, size, tokens), runs=runs, device=device),
            **{name: _linear_latency(one, size, tokens, runs) for name, one in linear.items()},
        }
        for size in LATENCY_BATCHES
    }
    log.info("measuring memory")
    idle = peak_memory_of(_nothing)
    return [
        Measured(
            name=name,
            layers=shape[0],
            parameters=shape[1],
            flops=shape[2],
            disk_bytes=disk_bytes(Path(places[name])) if Path(places[name]).is_dir() else None,
            latency={size: found[name] for size, found in times.items()},
            peak_mb=peak_memory_of(partial(_answer_once, places[name], tokens)) - idle,
        )
        for name, shape in _shapes(places, networks, linear, tokens).items()
    ]


def _places(targets: Sequence[str | Path]) -> dict[str, str]:
    """Where each model is, by name: the students of runs, each followed by its teacher, and other models."""
    places: dict[str, str] = {}
    for target in targets:
        opened = open_model(target)
        places[str(target)] = opened.place
        if opened.teacher is not None:
            places[opened.teacher] = opened.teacher
    return places


def _shapes(
    places: Mapping[str, str],
    networks: Mapping[str, Network],
    linear: Mapping[str, LinearClassifier],
    tokens: int,
) -> dict[str, tuple[int, Parameters, int | None]]:
    """Layers, parameters and operations for one example by name."""
    found: dict[str, tuple[int, Parameters, int | None]] = {}
    for name in places:
        if name in linear:
            found[name] = (0, linear_parameters(linear[name]), None)
        else:
            network = networks[name]
            found[name] = (network.num_layers, count_parameters(network), flops(network, tokens))
    return found


def _views(networks: Mapping[str, Network], size: int, tokens: int) -> dict[str, Inputs]:
    """Random texts of each network's vocabulary."""
    return {name: random_texts(network, size, tokens) for name, network in networks.items()}


def random_texts(network: Network | LanguageNetwork, size: int, tokens: int) -> Inputs:
    """`size` random texts of `tokens` tokens of the network's vocabulary."""
    draw = torch.Generator().manual_seed(0)
    ids = torch.randint(int(network.model.config.vocab_size), (size, tokens), generator=draw)
    return Inputs(ids=ids, mask=torch.ones_like(ids))


def _linear_latency(model: LinearClassifier, size: int, tokens: int, runs: int) -> Latency:
    """Latency of a linear model from `size` random texts of `tokens` words to logits, on the CPU."""
    texts = _random_words(model, size, tokens)
    return latency_on_cpu(lambda: model.logits(*texts), batch_size=size, tokens=tokens, runs=runs)


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
        model.logits(*_random_words(model, max(LATENCY_BATCHES), tokens))
        return
    network = load(place)
    with torch.no_grad():
        network(random_texts(network, max(LATENCY_BATCHES), tokens))
