"""Text augmentation: back-translation, replacement by masked language models, and small edits of words.

An augmenter is a frozen dataclass of settings that returns one new text for each text of a batch. An
`AugmentationCache` (in `cache.py`) stores every result on disk; `add_augmented_rows` (in `augment_rows.py`)
appends the new rows to the training rows. Those two files are not imported here, so that a recipe can name
an augmenter without importing datasets and transformers.
"""

from collections.abc import Mapping
from types import MappingProxyType

from lmdistill.core.errors import UnknownNameError
from lmdistill.data.augment.apertium import Apertium
from lmdistill.data.augment.eda import Eda
from lmdistill.data.augment.marian import Marian
from lmdistill.data.augment.masked_lm import Masked
from lmdistill.data.augment.protocol import Augmenter

AUGMENTERS: Mapping[str, type[Apertium] | type[Eda] | type[Marian] | type[Masked]] = MappingProxyType(
    {"apertium": Apertium, "eda": Eda, "marian": Marian, "masked": Masked}
)
"""Name in a recipe -> augmenter, whose fields are its settings."""


def augmenter_named(name: str) -> type[Apertium] | type[Eda] | type[Marian] | type[Masked]:
    """The augmenter called `name`.

    Raises:
        UnknownNameError: No augmenter has this name.

    Examples:
        >>> augmenter_named("eda").__name__
        'Eda'
    """
    try:
        return AUGMENTERS[name]
    except KeyError:
        raise UnknownNameError("augmenter", name, AUGMENTERS) from None


__all__ = [
    "AUGMENTERS",
    "Apertium",
    "Augmenter",
    "Eda",
    "Marian",
    "Masked",
    "augmenter_named",
]
