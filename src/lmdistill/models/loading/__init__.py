"""Loading of models and tokenizers from a folder, a Python package or the Hugging Face hub."""
