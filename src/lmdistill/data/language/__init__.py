"""Texts for language models: conversations, prompts, packing, tokens and batches."""
