"""A tokenizer of transformers with fewer pieces."""

import json
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from lmdistill.core.atomic_io import read_json, write_text
from lmdistill.core.errors import ModelError
from lmdistill.models.quiet_transformers import quiet
from lmdistill.models.vocabulary_trimming.tokenizer_definition import TokenizerDefinition

KEPT = ("tokenizer.json", "tokenizer_config.json", "chat_template.jinja")
"""Files of a saved tokenizer that do not have the whole vocabulary in another form."""


def trimmed_tokenizer(
    tokenizer: Any, definition: TokenizerDefinition, new_ids: Mapping[int, int], source: str
) -> Any:
    """A new tokenizer with the pieces of `new_ids`, of the same class and with the same settings.

    It is saved and loaded, so it is what `AutoTokenizer.from_pretrained` gives.

    Args:
        tokenizer: A fast tokenizer; not changed.
        definition: Its definition.
        new_ids: Old id -> new id of the pieces that stay.
        source: Its model, for messages.

    Raises:
        ModelError: If its class gives the pieces other ids.
    """
    with TemporaryDirectory() as name, quiet():
        folder = Path(name)
        tokenizer.save_pretrained(folder)
        for path in folder.iterdir():
            if path.name not in KEPT:
                path.unlink()
        table = definition.with_ids(new_ids)
        write_text(folder / KEPT[0], json.dumps(table, ensure_ascii=False))
        settings = read_json(folder / KEPT[1])
        settings.pop("added_tokens_decoder", None)  # has old ids; the new ones are in tokenizer.json
        write_text(folder / KEPT[1], json.dumps(settings, ensure_ascii=False, indent=2))
        found: Any = type(tokenizer).from_pretrained(folder)
    found.name_or_path = tokenizer.name_or_path
    wanted = {piece: new_ids[number] for piece, number in definition.ids.items() if number in new_ids}
    if found.get_vocab() != wanted:
        raise ModelError(
            f"the tokenizer of {source}, a {type(tokenizer).__name__}, does not keep the ids of a trimmed "
            "vocabulary. Leave its vocabulary whole."
        )
    return found
