"""Packing: joins the tokens of plain texts and cuts them into blocks of equal length."""

from collections.abc import Iterable, Iterator, Sequence

from lmdistill.core.errors import ConfigError


def pack_blocks(passages: Iterable[Sequence[int]], size: int) -> Iterator[list[int]]:
    """Join token ids and cut them into blocks of `size` tokens; the last block may be shorter.

    Each block begins with the last token of the previous block, because the first token of a block is input
    and never predicted. So each token except the very first is predicted exactly once, and every block has
    at least two tokens.

    Args:
        passages: Token ids of texts, with begin and end tokens.
        size: Number of tokens of a block, >= 2.

    Raises:
        ConfigError: `size` is below 2.

    Examples:
        >>> list(pack_blocks([[1, 2, 3], [4, 5], [6]], 3))
        [[1, 2, 3], [3, 4, 5], [5, 6]]
    """
    if size < 2:
        raise ConfigError(f"a block must have 2 tokens or more, one of them to predict, got {size}.")
    buffer: list[int] = []
    for passage in passages:
        buffer += passage
        start = 0
        while len(buffer) - start >= size:
            yield buffer[start : start + size]
            start += size - 1
        buffer = buffer[start:]
    if len(buffer) > 1:
        yield buffer
