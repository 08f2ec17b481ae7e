"""Conversations: rows of text for language models, from a file, a folder or the hub, checked and cached."""

import hashlib
import json
import logging
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np
from datasets import Dataset, Features, Value
from datasets.exceptions import DatasetGenerationError

from lmdistill.core.errors import ConfigError, DataError
from lmdistill.core.fingerprint import LENGTH, fingerprint
from lmdistill.core.progress import track
from lmdistill.core.seeding import generator
from lmdistill.data.files import plain_text
from lmdistill.data.files.checked_cache import cached_rows
from lmdistill.data.files.dataset_errors import underlying_error
from lmdistill.data.files.formats import SUFFIXES, open_rows, suffix_of
from lmdistill.data.files.hub import DEV_NAMES, hub_rows, load_dataset_dict
from lmdistill.data.files.progress_bars import without_bars
from lmdistill.data.files.table import Rows
from lmdistill.data.language.chat_messages import Chat
from lmdistill.data.language.infer_format import infer_format
from lmdistill.data.language.instruction_format import ExampleFormat

log = logging.getLogger("lmdistill")

COLUMNS = ("prompt", "completion", "question", "messages")
FEATURES = Features(
    {**{name: Value("string") for name in COLUMNS}, "index": Value("int64"), "flaw": Value("bool")}
)
DEV_FRACTION = 0.1


@dataclass(frozen=True, kw_only=True)
class Conversations:
    """Training and dev rows for language models.

    Every split has the columns prompt (str; "" for plain text), completion (str), question (str; the text to
    compare with evaluation files), messages (str; `Chat` as JSON up to its last answer, "" for other layouts)
    and index (int64; row number in the source, from 0). If the source says which completions were cut, as
    files of `lmdistill generate` do, there is also a column `unended` (bool).
    """

    splits: Mapping[str, Dataset] = field(repr=False)
    """Name of a split (train, dev) -> its rows."""

    layout: str
    """The `Layout` of the rows."""

    source: str
    """Where the rows come from, such as a path; for records."""

    notes: tuple[str, ...] = ()
    """What was inferred, dropped or counted, one sentence each."""

    @property
    def train(self) -> Dataset:
        """The training rows."""
        return self.splits["train"]

    @property
    def dev(self) -> Dataset:
        """The dev rows."""
        return self.splits["dev"]

    @cached_property
    def fingerprint(self) -> str:
        """Fingerprint of the rows and their layout (16 hexadecimal digits); the source does not matter."""
        digest = hashlib.sha256(self.layout.encode())
        for name in sorted(self.splits):
            digest.update(f"\n{name}".encode())
            for batch in self.splits[name].with_format(None).iter(batch_size=1000):
                digest.update(json.dumps(batch, sort_keys=True)[1:-1].encode())
        return digest.hexdigest()[:LENGTH]

    def with_train(self, train: Dataset, *notes: str) -> "Conversations":
        """Return a copy with other training rows and additional notes."""
        return replace(self, splits={**self.splits, "train": train}, notes=(*self.notes, *notes))

    def with_completions(
        self, texts: Mapping[int, str], *notes: str, unended: Iterable[int] = ()
    ) -> "Conversations":
        """Return a copy with other completions in the training rows; rows without a new one are dropped.

        `texts` maps row numbers (column `index`) to completions; `unended` are the row numbers of those that
        were cut before their end token. In a chat the last answer is replaced.
        """
        kept = [number for number, index in enumerate(self.train["index"]) if texts.get(index, "").strip()]
        with without_bars():
            rows = self.train.select(kept).map(partial(_completed, texts, frozenset(unended)))
        return self.with_train(rows, *notes)

    def log_notes(self) -> "Conversations":
        """Log every note, and return the conversations unchanged."""
        for note in self.notes:
            log.info("%s: %s", self.source, note)
        return self


def _completed(texts: Mapping[int, str], unended: frozenset[int], row: Mapping[str, Any]) -> dict[str, Any]:
    """Columns of a row whose completion is replaced: completion, unended, and messages in a chat."""
    columns = {"completion": texts[row["index"]], "unended": row["index"] in unended}
    if not row["messages"]:
        return columns
    chat = Chat.from_json(row["messages"])
    *before, last = chat.messages
    answer = {k: v for k, v in last.items() if k != "tool_calls"} | {"content": columns["completion"]}
    return {**columns, "messages": replace(chat, messages=[*before, answer]).to_json()}


def load_conversations(
    name_or_path: str | Path,
    dev: str | Path | int | float | None = None,
    *,
    layout: str | None = None,
    template: str | None = None,
    completion: str | None = None,
    separator: str | None = None,
    seed: int = 0,
) -> Conversations:
    """Load training and dev rows, memory-mapped from the cache of `datasets`.

    Rows with an empty completion are dropped; a note has their number. All notes are logged.

    Args:
        name_or_path: A file (JSON lines, JSON list, CSV, TSV, Parquet or plain text, also `.gz`); a folder
            with files whose names contain train and dev (or valid, val, ...), or a folder that `datasets` can
            read; "owner/name" or "owner/name:config" on the hub.
        dev: A file of dev rows; or, if the source has no dev split, the number of training rows to hold out,
            >= 1, or their fraction in (0, 1); None is a tenth.
        layout: "messages", "instruction", "prompt" or "text"; None infers it from the columns.
        template: Template of the prompt with {column} fields, for "instruction" and "prompt"; for "messages"
            a chat template, which the tokenizer must get too (`use_template`).
        completion: Column of the text that the loss covers; None infers it.
        separator: String that ends each text in a plain text file; None infers it.
        seed: Random seed of the rows to hold out.

    Raises:
        DataError: A file, column or row cannot be used (the message has its location), or there are no rows.
        ConfigError: A setting does not fit this source.
        UnknownNameError: A layout or a column does not exist.
    """
    tables, notes = _tables(name_or_path, separator)
    if isinstance(dev, str | Path):
        tables["dev"] = _file_rows(Path(dev), separator if plain_text.has_text_files(Path(dev)) else None)
        notes += (f"dev rows from {dev}",)
    infer = partial(infer_format, layout=layout, template=template, completion=completion)
    form, format_notes = infer(tables["train"])
    notes += format_notes
    splits: dict[str, Dataset] = {}
    for split, rows in tables.items():
        split_format = form if split == "train" else _same_layout(form, infer(rows)[0], rows)
        splits[split], row_notes = build_dataset(rows, split_format)
        notes += (*rows.notes, *row_notes)
    if "dev" not in splits and not isinstance(dev, str | Path):
        splits["train"], splits["dev"] = hold_out(splits["train"], dev, seed=seed)
        notes += (f"{splits['dev'].num_rows} training rows are held out as dev rows (seed {seed})",)
    return Conversations(splits=splits, layout=form.layout, source=str(name_or_path), notes=notes).log_notes()


def _same_layout(form: ExampleFormat, dev_form: ExampleFormat, rows: Rows) -> ExampleFormat:
    """Check that dev rows have the layout of the training rows; their columns may have other names."""
    if dev_form.layout != form.layout:
        raise DataError(
            f"{rows.name}: the layout is {dev_form.layout} and that of the training rows is {form.layout}. "
            "Use one layout."
        )
    return dev_form


def build_dataset(rows: Rows, form: ExampleFormat) -> tuple[Dataset, tuple[str, ...]]:
    """Write the examples of a table to the cache of `datasets`, once for each content, and memory-map them.

    Returns:
        The examples, with the columns that `Conversations` describes; and notes on rows dropped because of an
        empty completion, and on completions that were cut.

    Raises:
        DataError: A row cannot be used (the message has its location), or no row can.
    """
    if next(iter(rows.read()), None) is None:
        raise DataError(f"{rows.name} holds no rows. Add examples.")
    features = Features({**FEATURES, "unended": Value("bool")}) if form.ended else FEATURES
    with without_bars():
        try:
            key = fingerprint(rows.key, form.key)
            table = cached_rows(partial(_examples, rows, form), features, key)
        except DatasetGenerationError as error:
            raise underlying_error(error) from error
    flaws = np.asarray(table.select_columns("flaw").with_format("numpy")[:]["flaw"])
    if flaws.all():
        raise DataError(
            f"{rows.name}: the completion ({form.completion!r}) is empty in all {len(flaws)} rows. Fill it "
            "in, or set texts.completion to another column."
        )
    kept = table.select(np.flatnonzero(~flaws)) if flaws.any() else table
    num_cut = sum(kept["unended"][:]) if form.ended else 0
    counts = (
        (flaws.sum(), f"dropped {int(flaws.sum())} of {len(flaws)} rows with an empty completion"),
        (num_cut, f"{num_cut} of {kept.num_rows} completions were cut ('ended' is false): no end token"),
    )
    notes = tuple(f"{rows.name}: {note}" for count, note in counts if count)
    return kept.remove_columns("flaw"), notes


def _examples(rows: Rows, form: ExampleFormat) -> Iterator[dict[str, Any]]:
    """Yield the rows as examples, with an extra column `flaw`."""
    for position, row in enumerate(track(rows.read(), f"reading {rows.name}", unit="row")):
        example = form.example(row, rows.location(row.number))
        yield {**example, "index": position, "flaw": not example["completion"].strip()}


def hold_out(rows: Dataset, size: int | float | None = None, *, seed: int = 0) -> tuple[Dataset, Dataset]:
    """Hold out random rows; return the training rows and the dev rows, each in their old order.

    Args:
        rows: Two rows or more.
        size: Number of dev rows, >= 1, or their fraction in (0, 1); None is a tenth.
        seed: Random seed of the selection.

    Raises:
        ConfigError: `size` is out of range.
        DataError: No training row would be left.
    """
    size = DEV_FRACTION if size is None else size
    if isinstance(size, bool) or size <= 0 or (isinstance(size, float) and size >= 1):
        raise ConfigError(f"the number of dev rows must be >= 1 or a fraction in (0, 1), got {size!r}.")
    count = max(1, round(size * rows.num_rows)) if isinstance(size, float) else size
    if count >= rows.num_rows:
        raise DataError(
            f"{count} rows are to be held out for dev and there are {rows.num_rows}, so none is left to "
            "train on. Lower texts.dev_rows, or set texts.dev to a file."
        )
    order = generator(seed, "dev").permutation(rows.num_rows)
    return rows.select(np.sort(order[count:])), rows.select(np.sort(order[:count]))


def _tables(name_or_path: str | Path, separator: str | None) -> tuple[dict[str, Rows], tuple[str, ...]]:
    """The tables of a source by split, train first; and notes."""
    path, name = Path(name_or_path), str(name_or_path)
    if path.is_dir() and not (path / "dataset_dict.json").is_file():
        return _folder_tables(path, separator)
    if path.is_file() or not (path.is_dir() or _is_hub_name(name)):
        return {"train": _file_rows(path, separator)}, ()
    repository, _, config = (name, "", "") if path.is_dir() else name.partition(":")
    instead = "set texts.source to a folder with its files"
    tables = {
        str(s): table for s, table in load_dataset_dict(repository, config or None, instead=instead).items()
    }
    if "train" not in tables:
        raise DataError(f"{name} has no split 'train'; it has: {', '.join(tables)}. Save its rows to a file.")
    dev = next((split for split in DEV_NAMES if split in tables), None)
    used = {"train": "train"} | ({"dev": dev} if dev else {})
    unused = sorted(set(tables) - set(used.values()))
    notes = (f"unused splits: {', '.join(unused)}",) if unused else ()
    return {split: hub_rows(f"{name}, {source}", tables[source]) for split, source in used.items()}, notes


def _is_hub_name(name: str) -> bool:
    """Whether a name that is not a file looks like one of the hub, not like a path with a known suffix."""
    is_path = name.startswith(".") or suffix_of(Path(name)) in (*SUFFIXES, *plain_text.SUFFIXES)
    return not is_path and bool(re.fullmatch(r"[\w.-]+/[\w.-]+(:[\w.-]+)?", name))


def _file_rows(path: Path, separator: str | None) -> Rows:
    """The rows of one file, in the format that its suffix names."""
    if suffix_of(path) in plain_text.SUFFIXES:
        return plain_text.text_file_rows(path, separator)
    if separator is not None:
        raise ConfigError(
            f"{path}: texts.separator applies only to text files ({', '.join(plain_text.SUFFIXES)}). "
            "Leave it out."
        )
    return open_rows(path, same_keys=False)


def _folder_tables(folder: Path, separator: str | None) -> tuple[dict[str, Rows], tuple[str, ...]]:
    """The train and dev files of a folder, recognised by the words in their names; and notes."""
    files: dict[str, list[Path]] = {"train": [], "dev": []}
    for path in sorted(folder.iterdir()):
        words = set(re.split(r"[\W_]+", path.name.lower()))
        if path.is_file() and suffix_of(path) in (*SUFFIXES, *plain_text.SUFFIXES):
            for split, names in (("train", {"train"}), ("dev", set(DEV_NAMES))):
                files[split] += [path] if words & names else []
    for split, paths in files.items():
        if len(paths) > 1 or (split == "train" and not paths):
            have = ", ".join(path.name for path in paths) or "none"
            raise DataError(
                f"{folder}: one file with {split!r} in its name is needed, found {have}. Name a file instead."
            )
    used = {split: paths[0] for split, paths in files.items() if paths}
    notes = tuple(f"{split} rows from {path.name}" for split, path in used.items())
    return {split: _file_rows(path, separator) for split, path in used.items()}, notes
