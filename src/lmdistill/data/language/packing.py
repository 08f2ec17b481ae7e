"""Plain texts joined and cut into blocks of one length."""

from collections.abc import Iterable, Iterator, Sequence

from lmdistill.core.errors import ConfigError


def pack_blocks(passages: Iterable[Sequence[int]], size: int) -> Iterator[list[int]]:
    """Join token ids and cut them into blocks of `size`; the last one may be shorter.

    A block begins with the last token of the one before, since the first token of a block is read and never
    predicted. So each token of the stream except its first is predicted exactly once, and no block has fewer
    than two tokens.

    Args:
        passages: Token ids of texts, begin and end tokens included.
        size: Tokens of a block, >= 2.

    Examples:
        >>> list(pack_blocks([[1, 2, 3], [4, 5], [6]], 3))
        [[1, 2, 3], [3, 4, 5], [5, 6]]
    """
    if size < 2:
        raise ConfigError(f"a block has {size} tokens; it needs 2 or more, one to read and one to predict.")
    held: list[int] = []
    for passage in passages:
        held += passage
        edge = 0
        while len(held) - edge >= size:
            yield held[edge : edge + size]
            edge += size - 1
        held = held[edge:]
    if len(held) > 1:
        yield held
