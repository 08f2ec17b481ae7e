"""The definition of a fast tokenizer, as in `tokenizer.json`, and the same with fewer pieces."""

import copy
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from lmdistill.core.errors import ModelError

KINDS = ("WordPiece", "BPE", "Unigram")
"""Models of tokenizers whose vocabularies can be trimmed."""


@dataclass(frozen=True)
class TokenizerDefinition:
    """The pieces of a tokenizer, and how it makes them."""

    table: Mapping[str, Any]
    """The contents of `tokenizer.json`; not changed."""

    @property
    def model(self) -> Mapping[str, Any]:
        """The part with vocabulary and merges."""
        found: Mapping[str, Any] = self.table["model"]
        return found

    @property
    def kind(self) -> str:
        """One of `KINDS`."""
        return str(self.model["type"])

    @cached_property
    def model_ids(self) -> Mapping[str, int]:
        """Id of each piece of the model, without tokens that were added to it."""
        vocabulary = self.model["vocab"]
        if self.kind == "Unigram":  # the first of two equal pieces would never be used
            return {str(piece): number for number, (piece, _) in enumerate(vocabulary)}
        return dict(vocabulary)

    @cached_property
    def added_ids(self) -> Mapping[str, int]:
        """Id of each token that is found before a text is cut into pieces, special tokens included."""
        return {str(token["content"]): int(token["id"]) for token in self.table.get("added_tokens") or ()}

    @cached_property
    def ids(self) -> Mapping[str, int]:
        """Id of each piece and each added token."""
        return {**self.model_ids, **self.added_ids}

    @cached_property
    def unknown_id(self) -> int | None:
        """Id of what stands for unknown characters; None without one."""
        if self.kind == "Unigram":
            found: int | None = self.model.get("unk_id")
            return found
        return self.ids.get(str(self.model.get("unk_token")))

    @cached_property
    def processor_ids(self) -> frozenset[int]:
        """Ids of the special tokens that are put around a text."""
        return frozenset(_processor_ids(self.table.get("post_processor")))

    @property
    def prefix(self) -> str:
        """What begins each piece that is not the first of a word, such as "##"; "" if nothing does."""
        return str(self.model.get("continuing_subword_prefix") or "")

    @property
    def is_byte_level(self) -> bool:
        """Whether the characters of its pieces stand for bytes."""
        return '"ByteLevel"' in json.dumps([self.table.get("pre_tokenizer"), self.table.get("normalizer")])

    @cached_property
    def merges(self) -> tuple[tuple[str, str], ...]:
        """Pairs of pieces that BPE merges, in the order of their rank."""
        pairs = self.model.get("merges") or ()
        split = (pair.split(" ") if isinstance(pair, str) else pair for pair in pairs)
        return tuple((str(first), str(second)) for first, second in split)

    def merged(self, pair: tuple[str, str]) -> str:
        """The piece that BPE makes of two."""
        return pair[0] + pair[1][len(self.prefix) :]

    def with_ids(self, new_ids: Mapping[int, int]) -> dict[str, Any]:
        """The contents of `tokenizer.json` with some of the pieces.

        Args:
            new_ids: Old id -> new id of the pieces that stay, in the same order. All added tokens are among
                them, and those of `processor_ids`.

        Returns:
            A table in which every id is a new one: in vocabulary, added tokens, post-processor and padding.
        """
        table = copy.deepcopy(dict(self.table))
        model, vocabulary = table["model"], self.model["vocab"]
        if self.kind == "Unigram":
            model["vocab"] = [entry for number, entry in enumerate(vocabulary) if number in new_ids]
            model["unk_id"] = None if self.unknown_id is None else new_ids[self.unknown_id]
        else:
            kept = {piece: new_ids[number] for piece, number in vocabulary.items() if number in new_ids}
            model["vocab"] = dict(sorted(kept.items(), key=lambda entry: entry[1]))
        if self.kind == "BPE":
            model["merges"] = [list(pair) for pair in self.merges if self.merged(pair) in model["vocab"]]
        for token in table.get("added_tokens") or ():
            token["id"] = new_ids[token["id"]]
        table["post_processor"] = _renumbered(table.get("post_processor"), new_ids)
        if table.get("padding"):
            table["padding"]["pad_id"] = new_ids.get(table["padding"]["pad_id"], 0)
        return table


def definition_of(tokenizer: Any, source: str) -> TokenizerDefinition:
    """The definition of a tokenizer of transformers.

    Args:
        tokenizer: A fast tokenizer.
        source: Its model, for messages.

    Raises:
        ModelError: If its vocabulary cannot be trimmed.
    """
    known = f"{', '.join(KINDS[:-1])} and {KINDS[-1]} can be. Use a model with such a tokenizer"
    if not getattr(tokenizer, "is_fast", False):
        raise ModelError(
            f"the tokenizer of {source} is a {type(tokenizer).__name__} without tokenizer.json, so its "
            f"vocabulary cannot be trimmed; fast ones of the kinds {known}."
        )
    definition = TokenizerDefinition(json.loads(tokenizer.backend_tokenizer.to_str()))
    if definition.kind not in KINDS:
        raise ModelError(
            f"the tokenizer of {source} is of the kind {definition.kind}, whose vocabulary cannot be "
            f"trimmed; those of the kinds {known}."
        )
    return definition


def _renumbered(processor: Any, new_ids: Mapping[int, int]) -> Any:
    """A post-processor with new ids of its special tokens, and the same in those inside it."""
    if processor is None:
        return None
    changed = dict(processor)
    for name in ("sep", "cls"):  # BertProcessing and RobertaProcessing
        if name in changed:
            token, number = changed[name]
            changed[name] = [token, new_ids[number]]
    if changed["type"] == "TemplateProcessing":
        changed["special_tokens"] = {
            name: {**token, "ids": [new_ids[number] for number in token["ids"]]}
            for name, token in changed["special_tokens"].items()
        }
    if "processors" in changed:
        changed["processors"] = [_renumbered(one, new_ids) for one in changed["processors"]]
    return changed


def _processor_ids(processor: Any) -> Iterator[int]:
    """Ids in a post-processor and in those inside it."""
    if processor is None:
        return
    yield from (processor[name][1] for name in ("sep", "cls") if name in processor)
    if processor["type"] == "TemplateProcessing":
        for token in processor["special_tokens"].values():
            yield from token["ids"]
    for one in processor.get("processors", ()):
        yield from _processor_ids(one)
