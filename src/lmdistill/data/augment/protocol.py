"""Interface of augmenters: frozen dataclasses that return one new text for each text of a batch."""

from collections.abc import Sequence
from typing import Protocol, runtime_checkable


@runtime_checkable
class Augmenter(Protocol):
    """Makes one new text from each text. Like a method, it is the dataclass of its settings."""

    @property
    def name(self) -> str:
        """Key of the augmenter in `AUGMENTERS`."""
        ...

    @property
    def identity(self) -> str:
        """Fingerprint of all settings and local model files that change results, 16 hexadecimal digits.

        Settings that change only the speed are left out, so that cached results stay valid.
        """
        ...

    @property
    def varied(self) -> bool:
        """Whether copies of one text differ; if not, more than one copy is an error."""
        ...

    def __call__(self, texts: Sequence[str], copies: Sequence[int] | None = None) -> list[str]:
        """Make one new text for each of `texts`, in order.

        A result depends only on the text and the number of the copy, not on the other texts of the batch,
        except for rounding in batched arithmetic and a limitation of `Apertium`.

        Args:
            texts: Any strings; the result of a blank text is blank.
            copies: Number of the variant of each text, >= 0; None is variant 0 of each.
        """
        ...
