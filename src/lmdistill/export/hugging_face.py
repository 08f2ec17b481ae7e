"""Saving of models as folders that transformers loads without this package."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from torch import Tensor

from lmdistill.core.atomic_io import atomic_folder, read_json, write_text
from lmdistill.core.checksums import write_manifest
from lmdistill.core.errors import ModelError
from lmdistill.models import modeling_narrow
from lmdistill.models.causal_lm import AnyNetwork, LanguageNetwork
from lmdistill.models.classifier import THRESHOLDS, Network
from lmdistill.models.lora import merge_lora
from lmdistill.models.pruning.slicing import materialise_view
from lmdistill.models.quiet_transformers import quiet
from lmdistill.models.weight_types import in_dtype

MODELING_FILE = Path(modeling_narrow.__file__).stem
"""Name of the module that is saved with narrow models, which transformers has no classes for."""


def save(
    network: AnyNetwork,
    folder: str | Path,
    *,
    card: str | None = None,
    manifest: bool = False,
    dtype: str | None = None,
) -> None:
    """Save a network so that transformers loads it without this package and computes the same logits.

    Load it with `AutoModelForSequenceClassification.from_pretrained(folder)` or `AutoModelForCausalLM`.
    Weights are saved as safetensors: LoRA adapters are merged, slices of wider
    matrices become dense matrices, and tied matrices are saved once. If transformers has no class for the
    network (narrow models, EncT5), the source of its class is saved too; `from_pretrained` then needs
    `trust_remote_code=True`, or `import lmdistill` before it.

    Args:
        network: Network to save; not changed.
        folder: Destination. A model that it contains is replaced; if saving fails, the folder is unchanged.
        card: Content of README.md; None writes none.
        manifest: Also save checksums of all files, so that the folder is checked when it is loaded.
        dtype: Name of torch's type of the saved weights, such as "float16"; None for their own. Loading with
            transformers alone gives that type.

    Raises:
        ModelError: If the folder contains anything other than a model, or cannot be written.
    """
    folder, network = Path(folder), materialise_view(merge_lora(network))
    _require_replaceable(folder)
    if dtype is not None:
        network = in_dtype(network, dtype)
    try:
        with atomic_folder(folder) as part, quiet():
            network.model.save_pretrained(part, state_dict=_weights(network))
            network.tokenizer.save_pretrained(part)
            if card is not None:
                (part / "README.md").write_text(card, encoding="utf-8")
            if manifest:
                write_manifest(part)
    except (OSError, SafetensorError) as error:
        reason = getattr(error, "strerror", None) or " ".join(str(error).split())
        raise ModelError(
            f"the model could not be written to {folder} ({reason}). Make room, or choose another folder."
        ) from error


def keep_thresholds(network: Network, thresholds: Sequence[float] | None, folder: Path) -> None:
    """Keep the thresholds of a multi-label classifier in its configuration and in config.json of its folder.

    Args:
        network: The classifier.
        thresholds: One for each label; None is 0.5 for all, and removes others.
        folder: Where it was saved before; not changed if there is no model.
    """
    before = network.thresholds
    network.set_thresholds(thresholds)
    config = folder / "config.json"
    if config.is_file() and before != network.thresholds:
        table = {name: value for name, value in read_json(config).items() if name != THRESHOLDS}
        table |= {} if thresholds is None else {THRESHOLDS: list(thresholds)}
        write_text(config, json.dumps(table, indent=2) + "\n")


def has_modeling_file(folder: str | Path) -> bool:
    """Whether the model in `folder` was saved with the source of its class."""
    config = Path(folder) / "config.json"
    classes = read_json(config).get("auto_map", {}) if config.is_file() else {}
    return any(str(name).startswith(f"{MODELING_FILE}.") for name in classes.values())


def _weights(network: Network | LanguageNetwork) -> dict[str, Tensor]:
    """The state dict without shared memory, which transformers accepts only for weights that a class ties."""
    seen: set[int] = set()
    weights: dict[str, Tensor] = {}
    model: Any = network.model
    for name, tensor in model.state_dict().items():
        address = tensor.untyped_storage().data_ptr()
        if address in seen and name in model.all_tied_weights_keys:
            continue  # transformers ties it again when it loads the model
        weights[name] = tensor.clone() if address in seen else tensor
        weights[name] = weights[name].contiguous()
        seen.add(address)
    return weights


def _require_replaceable(folder: Path) -> None:
    """Check that the folder is empty or contains only a model, because saving removes its contents."""
    if folder.is_dir():
        entries = sorted(folder.iterdir())
        if not entries or (
            (folder / "config.json").is_file() and not any(entry.is_dir() for entry in entries)
        ):
            return
        raise ModelError(
            f"{folder} holds more than a saved model, such as {entries[0].name}, and saving would remove it. "
            "Choose an empty or new folder."
        )
    if folder.exists():
        raise ModelError(f"{folder} is a file. Choose another name for the folder of the model.")
