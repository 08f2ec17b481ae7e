"""Students as folders that plain transformers loads."""

from pathlib import Path

from lmdistill.core.storage import atomic_folder
from lmdistill.models.network import Network
from lmdistill.models.quiet import quiet


def save(network: Network, folder: str | Path, *, card: str | None = None) -> None:
    """Write a network so that `AutoModelForSequenceClassification.from_pretrained(folder)` gives the same logits.

    Args:
        network: What to save; weights are written as safetensors, in the dtype they have.
        folder: Where; it appears whole or not at all, and takes the place of an older one.
        card: Text of its README.md, if any.
    """
    with atomic_folder(Path(folder)) as part, quiet():
        network.model.config.architectures = [type(network.model).__name__]
        network.model.save_pretrained(part)
        network.tokenizer.save_pretrained(part)
        if card is not None:
            (part / "README.md").write_text(card, encoding="utf-8")
