"""Models and tokenizers from a folder, a package or the hub."""
