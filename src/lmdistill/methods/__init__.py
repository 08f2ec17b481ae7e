"""How a student learns from one batch: one file a method, and the table of their names."""

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
from lmdistill.methods.token_kd import TokenKD

CLASSIFIER_METHODS: MappingProxyType[str, type[Method]] = MappingProxyType(
    {"finetune": FineTune, "hidden_kd": HiddenKD, "kd": KD, "mixkd": MixKD, "pkd": PKD}
)
"""Methods for networks that give a text a class or a score."""

LANGUAGE_METHODS: MappingProxyType[str, type[Method]] = MappingProxyType(
    {"atkd": ATKD, "sft": SFT, "token_kd": TokenKD}
)
"""Methods for networks that write text."""

METHODS: MappingProxyType[str, type[Method]] = MappingProxyType(
    dict(sorted({**CLASSIFIER_METHODS, **LANGUAGE_METHODS}.items()))
)
"""Every method, by the name used in recipes and on the command line."""


def method_named(name: str) -> type[Method]:
    """The method called `name`, or an error that names the nearest one."""
    try:
        return METHODS[name]
    except KeyError:
        raise UnknownNameError("method", name, METHODS) from None


__all__ = [
    "ATKD",
    "CLASSIFIER_METHODS",
    "KD",
    "LANGUAGE_METHODS",
    "METHODS",
    "PKD",
    "SFT",
    "FineTune",
    "HiddenKD",
    "MixKD",
    "TokenKD",
    "method_named",
]
