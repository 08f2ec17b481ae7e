"""Students as folders that plain transformers loads."""

from pathlib import Path

from lmdistill.core.storage import atomic_folder
from lmdistill.models.network import Network


def save(network: Network, folder: Path, *, card: str | None = None) -> None:
    """Write the network, whole or not at all."""
    with atomic_folder(folder) as part:
        network.model.save_pretrained(part)
        network.tokenizer.save_pretrained(part)
        if card is not None:
            (part / "README.md").write_text(card, encoding="utf-8")
