"""Choice of texts: the rows of a file that are worth asking a teacher about, under a first student."""

from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path

import numpy as np
from jaxtyping import Float
from torch import Tensor, cat

from lmdistill.commands.open_model import open_model
from lmdistill.core.batch import Inputs
from lmdistill.core.errors import ConfigError
from lmdistill.core.file_lock import sole_writer
from lmdistill.core.progress import progress
from lmdistill.data.batching.tokenizer_checks import longest_input
from lmdistill.data.tasks.collator import tokenized_rows
from lmdistill.data.tasks.tokenization import tokenize
from lmdistill.engine.accelerator import make_accelerator
from lmdistill.engine.training_settings import Training
from lmdistill.evaluation.classification import require_finite_logits
from lmdistill.evaluation.inference import collect_outputs
from lmdistill.labelling.answers_file import require_new_output, text_line, write_lines
from lmdistill.labelling.choose_texts import choose
from lmdistill.labelling.texts import open_texts
from lmdistill.models.classifier import Network
from lmdistill.runs.classification.dataset import EncodedSplit

CHUNK = 1024
"""Texts that are tokenized at a time."""


def choose_texts(
    source: Path, out: Path, student: str | Path, count: int, *, text: Sequence[str] = (), seed: int = 0
) -> int:
    """Write the texts of `source` that are worth asking about to `out`, in their order; no server is asked.

    Args:
        source: As for `commands.label.label`. Of equal texts one counts.
        out: JSON lines with the text columns.
        student: A run folder or a model folder of a classifier.
        count: Number of texts to choose, >= 1; see `labelling.choose_texts.choose`.
        text: Names of the text columns; inferred when empty.
        seed: Random seed, >= 0.

    Returns:
        Number of texts.

    Raises:
        DataError: The file, the output or a row cannot be used.
        ConfigError: `count` is not between 1 and the number of different texts, or the model gives scores.
        ModelError: The model cannot be loaded, or gives no number for a text.
        RunError: Another command writes `out`.
    """
    table = open_texts(source, text)
    require_new_output(out)
    texts = list(dict.fromkeys(table.all_texts()))
    if not 1 <= count <= len(texts):
        raise ConfigError(
            f"--choose must be between 1 and {len(texts)}, the number of different texts in {source}, got "
            f"{count}."
        )
    with sole_writer(out):
        require_new_output(out)
        opened = open_model(student)
        if opened.network.num_classes < 2:
            raise ConfigError(f"{opened.place} gives scores, and --choose needs a classifier. Name another.")
        if opened.network.multi_label:
            raise ConfigError(
                f"{opened.place} gives several labels a text, and --choose needs one class. Name another."
            )
        network = opened.network.to(make_accelerator(Training()).device)
        length = min(opened.data.max_length, longest_input(network.tokenizer, network.positions))
        parts = list(_outputs(network, texts, length))
        whole = np.concatenate(parts)
        logits, states = whole[:, : network.num_classes], whole[:, network.num_classes :]
        require_finite_logits(network.source, logits)
        rows = choose(logits, states, count, seed=seed)
        write_lines(out, (text_line(table.columns, texts[row]) for row in rows))
    return count


def _outputs(
    network: Network, texts: Sequence[tuple[str, ...]], length: int
) -> Iterator[Float[np.ndarray, "b k"]]:
    """Logits and, behind them, the hidden state that the head reads, of each text."""
    device = str(next(network.parameters()).device)

    def read(inputs: Inputs) -> Float[Tensor, "b k"]:
        found = network(inputs, hidden=True)
        return cat([found.logits.float(), found.read_state(-1).float()], dim=-1)

    stream = iter(texts)
    with progress("reading texts", len(texts), unit="text") as shown:
        while chunk := list(islice(stream, CHUNK)):
            first, *others = (list(column) for column in zip(*chunk, strict=True))
            encoded = tokenize(network.tokenizer, first, others[0] if others else None, max_length=length)
            view = tokenized_rows(encoded, padding=int(network.tokenizer.pad_token_id))
            split = EncodedSplit(student=view, teacher=None, truncated=0.0)
            yield collect_outputs(read, network, split.batches(), device=device, on_batch=shown.add)
