"""Importance of heads and neurons, and dense models without the least important ones."""
