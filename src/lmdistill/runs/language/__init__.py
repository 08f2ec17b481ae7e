"""Recipes for models that write text: from passages and a teacher to a small causal language model."""
