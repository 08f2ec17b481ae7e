"""Weights and tokenizer of a folder or a hub id, read whole or refused."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from transformers import AutoTokenizer

from lmdistill.core.errors import ModelError
from lmdistill.core.progress import announce
from lmdistill.models.loading.resolve import loading_error_message
from lmdistill.models.quiet_transformers import quiet

FAILURES = (OSError, ValueError, KeyError, RuntimeError, ImportError, SafetensorError)
"""What transformers raises when files cannot be used."""


def read_pretrained(
    kind: Any,
    place: str,
    config: Any,
    *,
    trust_remote_code: bool,
    allow_pickle: bool,
    dtype: torch.dtype = torch.float32,
) -> tuple[Any, Any, list[str]]:
    """A stock model with its tokenizer, and the names of the weights that its files do not have.

    Transformers draws at random what it does not find, and says so in a report that is easily overlooked; so
    whoever calls this decides what may be missing, with `require_complete`.

    Args:
        kind: A class of transformers with `from_pretrained`, such as AutoModelForCausalLM.
        place: Folder or hub id.
        config: Its configuration.
        trust_remote_code: Run code that comes with the model.
        allow_pickle: Load weights that were saved as pickles, which can run code.
        dtype: Of the weights.

    Returns:
        Model, tokenizer, and names.

    Raises:
        ModelError: If they cannot be read, or do not belong together.
    """
    is_folder = Path(place).is_dir()
    if not is_folder:
        announce(f"loading {place}")
    try:
        with quiet(downloads=not is_folder):
            model, report = kind.from_pretrained(
                place,
                config=config,
                trust_remote_code=trust_remote_code,
                use_safetensors=None if allow_pickle else True,
                ignore_mismatched_sizes=True,  # they are in the report
                output_loading_info=True,
                dtype=dtype,
            )
    except FAILURES as error:
        raise ModelError(loading_error_message(place, error)) from error
    tokenizer = read_tokenizer(place, trust_remote_code=trust_remote_code)
    rows = model.get_input_embeddings().num_embeddings
    if len(tokenizer) > rows:
        raise ModelError(
            f"the tokenizer of {place} has {len(tokenizer)} tokens and the model embeddings for {rows}. "
            "Save the two that were trained together."
        )
    return model, tokenizer, [*report["missing_keys"], *(name for name, *_ in report["mismatched_keys"])]


def read_tokenizer(place: str, *, trust_remote_code: bool = False) -> Any:
    """The tokenizer at `place`, a folder or a hub id.

    Raises:
        ModelError: If there is none, or it has no words.
    """
    try:
        with quiet():
            tokenizer: Any = AutoTokenizer.from_pretrained(place, trust_remote_code=trust_remote_code)
    except FAILURES as error:
        raise ModelError(loading_error_message(place, error)) from error
    if len(tokenizer) <= len(set(tokenizer.all_special_ids)):
        raise ModelError(
            f"{place} has no tokenizer. Save the one it was trained with there (tokenizer.save_pretrained)."
        )
    return tokenizer


def require_complete(place: str, lacking: Sequence[str]) -> None:
    """Refuse weights of which some are missing.

    Raises:
        ModelError: If `lacking` names any.
    """
    if lacking:
        raise ModelError(
            f"the weights of {place} do not fit its config.json: {len(lacking)} of them are missing or of "
            f"another shape, such as {min(lacking)}. Name a folder whose files belong together."
        )
