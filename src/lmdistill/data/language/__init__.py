"""Texts for language models: conversations, prompts, tokenization, packing and batches."""
