"""Loading of weights and tokenizers with transformers, with checks that they are complete."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from transformers import AutoTokenizer

from lmdistill.core.errors import ModelError
from lmdistill.core.progress import announce
from lmdistill.models.loading.error_messages import loading_error_message
from lmdistill.models.loading.loaded_weights import require_finite_weights, require_used
from lmdistill.models.quiet_transformers import quiet
from lmdistill.models.vocabulary import tokenizer_size
from lmdistill.records.model_integrity import require_unchanged_model

FAILURES = (Exception,)
"""Errors that transformers raises if files cannot be loaded; they have no common parent."""

SHORTEST = 3
"""Minimum `model_max_length` of a tokenizer: one token between two special ones."""


def read_pretrained(
    kind: Any,
    location: str,
    config: Any,
    *,
    trust_remote_code: bool,
    allow_pickle: bool,
    dtype: torch.dtype = torch.float32,
    unread: tuple[str, ...] = (),
) -> tuple[Any, Any, list[str]]:
    """Load a model and its tokenizer, and list the weights that are missing in its files.

    Transformers initialises missing weights at random and only logs a message. The caller must decide which
    weights may be missing and check the others with `require_complete`.

    Args:
        kind: A class of transformers with `from_pretrained`, such as AutoModelForCausalLM.
        location: Folder or hub id.
        config: Configuration of the model.
        trust_remote_code: Run code that comes with the model.
        allow_pickle: Load weights that were saved as pickles, which can run code.
        dtype: Dtype of the weights.
        unread: Prefixes of the names of weights that are not loaded on purpose.

    Returns:
        Model, tokenizer, and the names of weights that are missing or have another shape.

    Raises:
        ModelError: If they cannot be loaded, if weights are NaN or infinite or have no place in the model, or
            if the tokenizer has more tokens than the model has embeddings.
        RunError: If a run saved the files and they have changed since.
    """
    is_folder = Path(location).is_dir()
    if is_folder:
        require_unchanged_model(Path(location))
    else:
        announce(f"loading {location}")
    try:
        with quiet(downloads=not is_folder):
            model, report = kind.from_pretrained(
                location,
                config=config,
                trust_remote_code=trust_remote_code,
                use_safetensors=None if allow_pickle else True,
                ignore_mismatched_sizes=True,  # mismatches are listed in the report
                output_loading_info=True,
                dtype=dtype,
            )
    except FAILURES as error:
        raise ModelError(loading_error_message(location, error)) from error
    require_used(location, model, report["unexpected_keys"], unread=unread)
    require_finite_weights(location, model)
    tokenizer = read_tokenizer(location, trust_remote_code=trust_remote_code)
    rows, size = model.get_input_embeddings().num_embeddings, tokenizer_size(tokenizer)
    if size > rows:
        raise ModelError(
            f"the tokenizer of {location} has {size} tokens and the model embeddings for {rows}. "
            "Save the two that were trained together."
        )
    return model, tokenizer, [*report["missing_keys"], *(name for name, *_ in report["mismatched_keys"])]


def read_tokenizer(location: str, *, trust_remote_code: bool = False) -> Any:
    """Load the tokenizer of a folder or a hub id.

    Raises:
        ModelError: If there is no tokenizer, its files cannot be used, or it has no tokens other than special
            ones, or no room for them.
    """
    try:
        with quiet():
            tokenizer: Any = AutoTokenizer.from_pretrained(location, trust_remote_code=trust_remote_code)
            size = len(tokenizer)
    except FAILURES as error:  # files of the wrong form fail in any place of the libraries that read them
        raise ModelError(loading_error_message(location, error)) from error
    if size <= len(set(tokenizer.all_special_ids)):
        raise ModelError(
            f"{location} has no tokenizer. Save the one that the model was trained with there, with "
            "tokenizer.save_pretrained."
        )
    longest = tokenizer.model_max_length
    if isinstance(longest, bool) or not isinstance(longest, int | float) or not longest >= SHORTEST:
        raise ModelError(
            f"the tokenizer of {location} has model_max_length {longest!r}, where a number of tokens, at "
            f"least {SHORTEST}, is needed. Correct it in its tokenizer_config.json, or remove it there."
        )
    return tokenizer


def require_complete(location: str, missing: Sequence[str]) -> None:
    """Check that no weights are missing.

    Args:
        location: Folder or hub id, for the message.
        missing: Names of weights that are missing or have another shape.

    Raises:
        ModelError: If there are any.
    """
    if missing:
        raise ModelError(
            f"the weights of {location} do not fit its config.json: {len(missing)} of them are missing or of "
            f"another shape, such as {min(missing)}. Name a folder whose files belong together."
        )
