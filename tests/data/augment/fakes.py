"""Augmenters whose results can be told by eye."""

from collections.abc import Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True, kw_only=True)
class Table:
    """Looks new texts up; what is not there becomes "<text> #<copy>". Remembers what it was asked."""

    known: dict[str, str] = field(default_factory=dict)
    fails_after: int = 10**9
    asked: list[tuple[str, int]] = field(default_factory=list)
    calls: list[int] = field(default_factory=list)
    name: str = "table"
    identity: str = "0123456789abcdef"
    varied: bool = True

    def __call__(self, texts: Sequence[str], copies: Sequence[int] | None = None) -> list[str]:
        if len(self.calls) >= self.fails_after:
            raise KeyboardInterrupt
        numbers = [0] * len(texts) if copies is None else copies
        self.calls.append(len(texts))
        self.asked.extend(zip(texts, numbers, strict=True))
        return [self.known.get(text, f"{text} #{copy}") for text, copy in zip(texts, numbers, strict=True)]
