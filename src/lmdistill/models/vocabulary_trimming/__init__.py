"""Trimming of vocabularies: fewer word pieces, and the same logits for the texts that need them."""
