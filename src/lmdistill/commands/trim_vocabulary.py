"""Trimming of vocabularies: save a classifier with the word pieces that texts need."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from lmdistill.commands.open_model import Opened, open_model
from lmdistill.core.errors import ConfigError, DataError, ModelError
from lmdistill.core.file_lock import sole_writer
from lmdistill.data.batching.tokenizer_checks import longest_input
from lmdistill.export.hugging_face import save
from lmdistill.labelling.texts import text_table
from lmdistill.models.loading.causal_lm import is_causal
from lmdistill.models.loading.resolve import stored_dtype
from lmdistill.models.vocabulary_trimming.chosen_pieces import Size
from lmdistill.models.vocabulary_trimming.text_pieces import Texts
from lmdistill.models.vocabulary_trimming.trim import pieces_for, trim_to_pieces
from lmdistill.records.record import RECORD
from lmdistill.records.vocabulary_facts import VocabularyFacts
from lmdistill.runs.classification.data import load_examples
from lmdistill.runs.classification.trimmed_vocabulary import texts_in

log = logging.getLogger("lmdistill")


def trim_vocabulary(
    target: str | Path,
    out: Path,
    *,
    files: Sequence[Path] = (),
    text: Sequence[str] = (),
    size: Size = "texts",
) -> VocabularyFacts:
    """Save a classifier with fewer word pieces; texts of the files, or of a run, give the same logits.

    Args:
        target: A run folder, a model folder or a hub id, of a classifier or a scorer.
        out: Folder of the new model, which must not exist; written completely or not at all, with weights of
            the same type.
        files: Files of texts; those of the run's training data by default, and its dev rows then show what
            changes.
        text: Names of one or two text columns; inferred when empty.
        size: Number of word pieces, >= 1; or "texts" for those that are needed.

    Returns:
        Word pieces and bytes before and after, and what was checked.

    Raises:
        ModelError: If `out` exists, the model is no classifier, or its vocabulary cannot be trimmed.
        ConfigError: If the texts need more than `size` word pieces, or no texts are named.
        DataError: If a file cannot be used.
        RunError: If another command writes `out`, or the files of the run are not as it wrote them.
    """
    if size != "texts" and size < 1:
        raise ConfigError(f"--size must be >= 1 or texts, got {size}.")
    with sole_writer(out):
        if out.exists():
            raise ModelError(f"{out} exists. Choose another --out, or remove it.")
        if not (Path(target) / RECORD).is_file() and is_causal(target):
            raise ModelError(
                f"{target} is a language model, whose outputs are its vocabulary. Name a classifier, or a "
                "run of one."
            )
        opened = open_model(target)
        network = opened.network
        length = min(opened.data.max_length, longest_input(network.tokenizer, network.positions))
        texts, dev = _texts(opened, target, files, text)
        chosen = pieces_for(network, texts, size, setting="--size")
        small, facts = trim_to_pieces(network, chosen, texts, dev, max_length=length)
        save(small, out, dtype=stored_dtype(opened.place))
    return facts


def _texts(
    opened: Opened, target: str | Path, files: Sequence[Path], text: Sequence[str]
) -> tuple[Texts, Mapping[str, Texts]]:
    """The texts that must stay as they are, and the dev texts of a run."""
    if files:
        rows = [cell for path in files for row in text_table(path, text).all_texts() for cell in row]
        if not rows:
            raise DataError(f"{files[0]} has no rows. Name a file with texts.")
        return Texts(rows), {}
    if text:
        raise ConfigError(f"--text is {', '.join(text)}, and no file is named. Add --texts, or leave it out.")
    if opened.task is None:
        raise ConfigError(
            f"{target} is no run, so its training texts are not known. Name a file with --texts."
        )
    if opened.data.augmentation is not None:
        log.warning("the augmented texts of %s are not read; its own texts are.", target)
    task = load_examples(opened.task, replace(opened.data, augmentation=None), cache=Path()).whole
    length = opened.data.max_length
    return texts_in(task, "train", length), {name: texts_in(task, name, length) for name in task.spec.splits}
