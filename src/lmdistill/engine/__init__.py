"""Methods and batches to steps, on accelerate."""
