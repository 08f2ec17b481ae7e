"""Memory-saving losses over large vocabularies: logits are computed for a chunk of positions at a time."""
