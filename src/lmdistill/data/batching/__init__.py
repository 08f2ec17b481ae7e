"""Batch sampling, data loading and checks of the tokenizer."""
