"""Students as folders that plain transformers loads."""

from pathlib import Path

from transformers.utils import logging as chatter

from lmdistill.core.storage import atomic_folder
from lmdistill.models.network import Network


def save(network: Network, folder: Path, *, card: str | None = None) -> None:
    """Write a network so that `AutoModelForSequenceClassification.from_pretrained(folder)` gives the same logits.

    Args:
        network: What to save; weights are written as safetensors, in the dtype they have.
        folder: Where; it appears whole or not at all, and takes the place of an older one.
        card: Text of its README.md, if any.
    """
    bars = chatter.is_progress_bar_enabled()
    chatter.disable_progress_bar()
    try:
        with atomic_folder(folder) as part:
            network.model.config.architectures = [type(network.model).__name__]
            network.model.save_pretrained(part)
            network.tokenizer.save_pretrained(part)
            if card is not None:
                (part / "README.md").write_text(card, encoding="utf-8")
    finally:
        if bars:
            chatter.enable_progress_bar()
