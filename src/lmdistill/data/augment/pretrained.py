"""Models and tokenizers that augmenters borrow, from folders or the hub; no pickles unless asked for."""

from pathlib import Path
from typing import Any

import torch

from lmdistill.core.errors import ConfigError, MissingExtraError, ModelError, first_line
from lmdistill.core.fingerprint import file_fingerprint

EXTRA_LINE = 'pip install "lmdistill[augment]"'


def model_identity(source: str) -> str:
    """What names the model in stored results: the contents of a local folder, else the hub id itself."""
    folder = Path(source)
    return (
        file_fingerprint(*sorted(p for p in folder.iterdir() if p.is_file())) if folder.is_dir() else source
    )


def checked_device(device: str) -> torch.device:
    """The device called `device`; `ConfigError` if there is none here."""
    try:
        found = torch.device(device)
    except RuntimeError:
        raise ConfigError(f"device must be one like 'cpu' or 'cuda', got {device!r}.") from None
    if found.type == "cuda" and not torch.cuda.is_available():
        raise ConfigError(f"device is {device!r}, and torch sees no GPU here; set device to 'cpu'.")
    return found


def load_tokenizer(source: str) -> Any:
    """The tokenizer of `source`; `MissingExtraError` if its library is missing, else `ModelError`."""
    from transformers import AutoTokenizer  # here: a recipe that names an augmenter does not need it

    try:
        return AutoTokenizer.from_pretrained(source)
    except ImportError as error:
        raise MissingExtraError(
            f"the tokenizer of {source!r} lacks a package ({first_line(error)}); {EXTRA_LINE}."
        ) from error
    except Exception as error:  # a tokenizer without its files fails with whatever its class trips over
        raise _unloadable("tokenizer", source, error) from error


def load_model(family: Any, source: str, *, device: str, allow_pickle: bool) -> Any:
    """The model of `source` in evaluation mode on `device`.

    Args:
        family: A transformers class with `from_pretrained`, such as `AutoModelForMaskedLM`.
        source: Local folder or hub id.
        device: Name of a torch device.
        allow_pickle: Whether weights may come from a pickle, which can run code of whoever wrote it.

    Raises:
        ModelError: There is no such model here, or its weights are pickled and that was not allowed.
        ConfigError: The device does not exist.
    """
    where = checked_device(device)
    try:
        model = family.from_pretrained(source, use_safetensors=None if allow_pickle else True)
    except (OSError, ValueError, KeyError) as error:
        if not allow_pickle and _is_pickled(source, error):
            raise ModelError(
                f"{source!r} has only pickled weights; if you trust it, set allow_pickle to true."
            ) from error
        raise _unloadable("model", source, error) from error
    return model.to(where).eval()


def _is_pickled(source: str, error: Exception) -> bool:
    """Whether the model failed to load for want of safetensors alone."""
    folder = Path(source)
    if folder.is_dir():
        return any(folder.glob("*.bin")) and not any(folder.glob("*.safetensors"))
    return "safetensors" in str(error)


def _unloadable(what: str, source: str, error: Exception) -> ModelError:
    """One line for a model or tokenizer that is not here, or here and broken."""
    if Path(source).is_dir():
        return ModelError(f"the folder {source!r} holds no usable {what}: {first_line(error)}")
    return ModelError(
        f"no folder is called {source!r}, and the hub gave no {what} of that name. Without network: run "
        f"'hf download {source} --local-dir FOLDER' where there is some, and set the path of FOLDER."
    )
