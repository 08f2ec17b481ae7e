"""Structured pruning: importance of heads and neurons, and models without the least important ones."""
