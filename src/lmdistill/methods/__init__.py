"""Training methods, one per file, and the tables of their names."""

from types import MappingProxyType

from lmdistill.core.errors import UnknownNameError
from lmdistill.core.protocols import Method
from lmdistill.methods.atkd import ATKD
from lmdistill.methods.finetune import FineTune
from lmdistill.methods.hidden_kd import HiddenKD
from lmdistill.methods.kd import KD
from lmdistill.methods.mixkd import MixKD
from lmdistill.methods.pkd import PKD
from lmdistill.methods.sft import SFT
from lmdistill.methods.tfidf import TFIDF
from lmdistill.methods.token_kd import TokenKD

CLASSIFIER_METHODS: MappingProxyType[str, type[Method]] = MappingProxyType(
    {"finetune": FineTune, "hidden_kd": HiddenKD, "kd": KD, "mixkd": MixKD, "pkd": PKD}
)
"""Methods for text classification and regression."""

LANGUAGE_METHODS: MappingProxyType[str, type[Method]] = MappingProxyType(
    {"atkd": ATKD, "sft": SFT, "token_kd": TokenKD}
)
"""Methods for causal language models."""

METHODS: MappingProxyType[str, type[Method]] = MappingProxyType(
    dict(sorted({**CLASSIFIER_METHODS, **LANGUAGE_METHODS}.items()))
)
"""All methods that train networks, by the name used in recipes and on the command line."""

BASELINES: MappingProxyType[str, type[TFIDF]] = MappingProxyType({"tfidf": TFIDF})
"""Methods for text classification and regression that train no network; recipes name them like the others."""

AnyMethod = Method | TFIDF
"""What a recipe for classifiers may have under `methods`."""


def method_named(name: str) -> type[Method]:
    """The class of the method called `name`.

    Raises:
        UnknownNameError: If there is none; the message suggests the closest name.
    """
    try:
        return METHODS[name]
    except KeyError:
        raise UnknownNameError("method", name, METHODS) from None


__all__ = [
    "ATKD",
    "BASELINES",
    "CLASSIFIER_METHODS",
    "KD",
    "LANGUAGE_METHODS",
    "METHODS",
    "PKD",
    "SFT",
    "TFIDF",
    "AnyMethod",
    "FineTune",
    "HiddenKD",
    "MixKD",
    "TokenKD",
    "method_named",
]
