"""Tensors to one value per position. Pure functions: no state, no mask, no reduction."""
