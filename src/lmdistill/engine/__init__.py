"""The training loop, built on accelerate."""
