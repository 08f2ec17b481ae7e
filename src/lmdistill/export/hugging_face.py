"""Students as folders that plain transformers loads."""

from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from torch import Tensor

from lmdistill.core.atomic_io import atomic_folder, read_json
from lmdistill.core.errors import ModelError
from lmdistill.models import modeling_narrow
from lmdistill.models.causal_lm import AnyNetwork, LanguageNetwork
from lmdistill.models.classifier import Network
from lmdistill.models.lora import merge_lora
from lmdistill.models.pruning.slicing import materialise_view
from lmdistill.models.quiet_transformers import quiet

MODELING_FILE = Path(modeling_narrow.__file__).stem
"""Name of the file of classes that is written beside weights which no stock class can hold."""


def save(network: AnyNetwork, folder: str | Path, *, card: str | None = None) -> None:
    """Write a network so that plain transformers loads it and gives the same logits.

    That is `AutoModelForSequenceClassification.from_pretrained(folder)`, or `AutoModelForCausalLM`, without
    this package. Weights are written as safetensors, in the dtype they have; adapters are merged into them,
    slices of wider matrices become small ones, and matrices that the model's class ties are written once.
    Where no stock class can hold a network (narrow ones, EncT5), its class is written beside the weights, and
    `from_pretrained` needs `trust_remote_code=True` or an `import lmdistill` before it.

    Args:
        network: What to save.
        folder: Where; it appears whole or not at all, and takes the place of an older model.
        card: Text of its README.md, if any.

    Raises:
        ModelError: If the folder holds something else than a model, or cannot be written.
    """
    folder, network = Path(folder), materialise_view(merge_lora(network))
    _require_no_strangers(folder)
    try:
        with atomic_folder(folder) as part, quiet():
            network.model.save_pretrained(part, state_dict=_weights(network))
            network.tokenizer.save_pretrained(part)
            if card is not None:
                (part / "README.md").write_text(card, encoding="utf-8")
    except (OSError, SafetensorError) as error:
        reason = getattr(error, "strerror", None) or " ".join(str(error).split())
        raise ModelError(
            f"the model could not be written to {folder} ({reason}). Make room, or choose another folder."
        ) from error


def has_modeling_file(folder: str | Path) -> bool:
    """Whether the model in `folder` is of a class of ours that lies beside its weights."""
    config = Path(folder) / "config.json"
    classes = read_json(config).get("auto_map", {}) if config.is_file() else {}
    return any(str(name).startswith(f"{MODELING_FILE}.") for name in classes.values())


def _weights(network: Network | LanguageNetwork) -> dict[str, Tensor]:
    """Every tensor in memory of its own; transformers refuses shared ones that its classes do not know of."""
    seen: set[int] = set()
    weights: dict[str, Tensor] = {}
    known: Any = network.model
    for name, tensor in known.state_dict().items():
        place = tensor.untyped_storage().data_ptr()
        if place in seen and name in known.all_tied_weights_keys:
            continue  # transformers ties it again
        weights[name] = tensor.clone() if place in seen else tensor
        weights[name] = weights[name].contiguous()
        seen.add(place)
    return weights


def _require_no_strangers(folder: Path) -> None:
    """What is replaced is removed, so it must be a model and nothing but a model."""
    if folder.is_dir():
        inside = sorted(folder.iterdir())
        if not inside or ((folder / "config.json").is_file() and not any(entry.is_dir() for entry in inside)):
            return
        raise ModelError(
            f"{folder} holds more than a saved model, such as {inside[0].name}, and saving would remove it. "
            "Choose a folder of its own."
        )
    if folder.exists():
        raise ModelError(f"{folder} is a file. Choose another name for the folder of the model.")
