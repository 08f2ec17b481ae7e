"""Loading of the pretrained models and tokenizers that augmenters use, from folders or the hub."""

from pathlib import Path
from typing import Any

import torch

from lmdistill.core.errors import ConfigError, MissingExtraError, ModelError, first_line
from lmdistill.core.fingerprint import file_fingerprint
from lmdistill.core.weight_index import require_own_weights

EXTRA_LINE = 'pip install "lmdistill[augment]"'
"""Command that installs the optional packages of augmenters."""


def model_identity(source: str) -> str:
    """Identity of a model in fingerprints: the hash of a local folder's files, or the hub id itself."""
    folder = Path(source)
    return (
        file_fingerprint(*sorted(p for p in folder.iterdir() if p.is_file())) if folder.is_dir() else source
    )


def checked_device(device: str) -> torch.device:
    """The torch device called `device`.

    Raises:
        ConfigError: The name is invalid, or there is no such device.
    """
    try:
        checked = torch.device(device)
    except RuntimeError:
        raise ConfigError(f"device must be one like 'cpu' or 'cuda', got {device!r}.") from None
    if checked.type == "cuda" and not torch.cuda.is_available():
        raise ConfigError(f"device is {device!r}, and torch sees no GPU here; set device to 'cpu'.")
    return checked


def load_tokenizer(source: str) -> Any:
    """Load the tokenizer of a local folder or hub id.

    Raises:
        MissingExtraError: A package that the tokenizer needs is not installed.
        ModelError: The tokenizer cannot be loaded.
    """
    from transformers import AutoTokenizer  # slow to import, and not needed to read a recipe

    try:
        return AutoTokenizer.from_pretrained(source)
    except ImportError as error:
        raise MissingExtraError(
            f"the tokenizer of {source!r} needs a missing package ({first_line(error)}). Run: {EXTRA_LINE}."
        ) from error
    except Exception as error:  # without its files, a tokenizer can raise any exception
        raise _unloadable("tokenizer", source, error) from error


def load_model(family: Any, source: str, *, device: str, allow_pickle: bool) -> Any:
    """Load a model in evaluation mode on `device`.

    Args:
        family: A transformers class with `from_pretrained`, such as `AutoModelForMaskedLM`.
        source: Local folder or hub id.
        device: Name of a torch device.
        allow_pickle: Whether to load weights from pickles, which can run code of their author.

    Raises:
        ModelError: The model cannot be loaded, or has only pickled weights and `allow_pickle` is off.
        ConfigError: The device does not exist.
    """
    torch_device = checked_device(device)
    if Path(source).is_dir():
        require_own_weights(Path(source))
    try:
        model = family.from_pretrained(source, use_safetensors=None if allow_pickle else True)
    except (OSError, ValueError, KeyError) as error:
        if not allow_pickle and _is_pickled(source, error):
            raise ModelError(
                f"{source!r} has only pickled weights; if you trust it, set allow_pickle to true."
            ) from error
        raise _unloadable("model", source, error) from error
    return model.to(torch_device).eval()


def _is_pickled(source: str, error: Exception) -> bool:
    """Whether the model failed to load only because it has no safetensors."""
    folder = Path(source)
    if folder.is_dir():
        return any(folder.glob("*.bin")) and not any(folder.glob("*.safetensors"))
    return "safetensors" in str(error)


def _unloadable(kind: str, source: str, error: Exception) -> ModelError:
    """The error for a model or tokenizer that does not exist or is broken; `kind` is one of these words."""
    if Path(source).is_dir():
        return ModelError(f"the folder {source!r} holds no usable {kind}: {first_line(error)}")
    return ModelError(
        f"no folder is called {source!r}, and the hub has no {kind} of that name or is out of reach. "
        f"Offline: run 'hf download {source} --local-dir FOLDER' elsewhere, copy FOLDER, and set its path."
    )
