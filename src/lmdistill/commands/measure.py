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
from lmdistill.models.causal_lm import LanguageNetwork
from lmdistill.models.classifier import Network
from lmdistill.models.loading.classifier import load
from lmdistill.models.model_stats import count_parameters, flops
from lmdistill.records.schema import Latency, Parameters

log = logging.getLogger("lmdistill")


@dataclass(frozen=True, kw_only=True)
class Measured:
    """Measurements of one network."""

    name: str
    """Name in the table."""

    layers: int
    """Number of layers."""

    parameters: Parameters
    """Number of parameters by part."""

    flops: int
    """Floating-point operations for one example."""

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
    places: dict[str, str] = {}
    for target in targets:
        opened = open_model(target)
        places[str(target)] = opened.place
        if opened.teacher is not None:
            places[opened.teacher] = opened.teacher
    device = make_accelerator(Training()).device
    networks = {name: load(place).to(device) for name, place in places.items()}
    for name, network in networks.items():
        if network.positions is not None and tokens > network.positions:
            raise ConfigError(
                f"--tokens is {tokens} and {name} reads at most {network.positions}. Lower --tokens."
            )
    log.info(
        "timing %s, %d passes each in batches of %s",
        ", ".join(networks),
        runs,
        " and ".join(map(str, LATENCY_BATCHES)),
    )
    times = {
        size: latencies(networks, _views(networks, size, tokens), runs=runs, device=device)
        for size in LATENCY_BATCHES
    }
    log.info("measuring memory")
    idle = peak_memory_of(_nothing)
    return [
        Measured(
            name=name,
            layers=network.num_layers,
            parameters=count_parameters(network),
            flops=flops(network, tokens),
            disk_bytes=disk_bytes(Path(places[name])) if Path(places[name]).is_dir() else None,
            latency={size: found[name] for size, found in times.items()},
            peak_mb=peak_memory_of(partial(_answer_once, places[name], tokens)) - idle,
        )
        for name, network in networks.items()
    ]


def _views(networks: Mapping[str, Network], size: int, tokens: int) -> dict[str, Inputs]:
    """Random texts of each network's vocabulary."""
    return {name: random_texts(network, size, tokens) for name, network in networks.items()}


def random_texts(network: Network | LanguageNetwork, size: int, tokens: int) -> Inputs:
    """`size` random texts of `tokens` tokens of the network's vocabulary."""
    draw = torch.Generator().manual_seed(0)
    ids = torch.randint(int(network.model.config.vocab_size), (size, tokens), generator=draw)
    return Inputs(ids=ids, mask=torch.ones_like(ids))


def _nothing() -> None:
    """Do nothing: the baseline of the memory measurement, with all libraries loaded."""


def _answer_once(place: str, tokens: int) -> None:
    """Load a network and run one forward pass."""
    network = load(place)
    with torch.no_grad():
        network(random_texts(network, max(LATENCY_BATCHES), tokens))
