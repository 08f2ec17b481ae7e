"""What every augmenter is: a frozen dataclass that turns a batch of texts into as many new ones."""

from collections.abc import Sequence
from typing import Protocol, runtime_checkable


@runtime_checkable
class Augmenter(Protocol):
    """Texts in, as many texts out. The dataclass of its settings is the augmenter, as with methods."""

    @property
    def name(self) -> str:
        """Its key in `AUGMENTERS`."""
        ...

    @property
    def identity(self) -> str:
        """Sixteen hexadecimal digits over all settings (and local model files) that change results.

        Batch sizes, devices and numbers of workers are left out, so that stored results outlive them.
        """
        ...

    @property
    def varied(self) -> bool:
        """Whether copies of one text differ; if not, asking for more than one is a mistake."""
        ...

    def __call__(self, texts: Sequence[str], copies: Sequence[int] | None = None) -> list[str]:
        """One new text for each of `texts`, in their order.

        What comes back depends on the text and on the number of the copy, not on its neighbours
        (up to the rounding of batched arithmetic, and `Apertium` says what it cannot keep).

        Args:
            texts: Any strings; a blank one comes back blank.
            copies: Which variant of each text is wanted, >= 0; None is variant 0 of each.
        """
        ...
