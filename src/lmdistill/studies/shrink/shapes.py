"""Shapes of students: how many layers, which share of heads and neurons, and of which model."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePath
from types import MappingProxyType
from typing import Any

from lmdistill.core.errors import ConfigError
from lmdistill.core.file_names import fitted

WIDTHS = (1.0, 0.75, 0.5, 0.3, 0.2)
"""Kept shares of heads and neurons that are tried unless others are named."""

MOST_DEPTHS = 8
"""Numbers of layers that are tried unless others are named."""


@dataclass(frozen=True, kw_only=True)
class Shape:
    """A student before it is trained."""

    layers: int | None
    """Layers of the teacher's backbone; None for another model, which keeps its own."""

    keep: float = 1.0
    """Share of the heads and neurons that is kept, in (0, 1]."""

    model: str | None = None
    """Another student model: hub id or folder; None for the teacher's backbone."""

    @property
    def name(self) -> str:
        """Short name, also of folders.

        Examples:
            >>> Shape(layers=3, keep=0.5).name, Shape(layers=None, model="models/tiny").name
            ('3-layers-keep-0.5', 'tiny')
        """
        whole = "" if self.keep == 1 else f"-keep-{self.keep:g}"
        if self.model is not None:
            return f"{fitted(PurePath(self.model).name)}{whole}"
        return f"{self.layers}-layer{'s' if self.layers != 1 else ''}{whole}"

    @property
    def settings(self) -> Mapping[str, Any]:
        """What it sets in a recipe, by dotted field."""
        if self.model is not None:
            return MappingProxyType({"student.model": self.model, "student.keep": self.keep})
        return MappingProxyType({"student.layers": self.layers, "student.keep": self.keep})


def grid(
    depth: int, layers: Sequence[int], widths: Sequence[float], models: Iterable[str] = ()
) -> tuple[Shape, ...]:
    """All shapes, the largest first: every depth with every width, and the other models.

    Args:
        depth: Layers of the teacher's backbone, >= 1.
        layers: Depths to try, each in [1, depth]; evenly spaced ones if empty, at most `MOST_DEPTHS`.
        widths: Kept shares of heads and neurons, each in (0, 1]; `WIDTHS` if empty.
        models: Other student models, each as it is.

    Raises:
        ConfigError: If a depth or a width does not exist.

    Examples:
        >>> [shape.name for shape in grid(2, [], [1.0, 0.5])]
        ['2-layers', '2-layers-keep-0.5', '1-layer', '1-layer-keep-0.5']
    """
    for number in layers:
        if not 1 <= number <= depth:
            raise ConfigError(f"--layers must be between 1 and {depth}, the teacher's layers, got {number}.")
    for width in widths:
        if not 0 < width <= 1:
            raise ConfigError(f"--widths must be in (0, 1], got {width:g}. 0.5 keeps half of the heads.")
    steps = min(depth, MOST_DEPTHS)
    depths = layers or [round((number + 1) * depth / steps) for number in range(steps)]
    cuts = [
        Shape(layers=number, keep=keep)
        for number in sorted(set(depths), reverse=True)
        for keep in sorted(set(widths or WIDTHS), reverse=True)
    ]
    return (*cuts, *(Shape(layers=None, model=name) for name in dict.fromkeys(models)))
