"""Loss functions. Each is a pure function with one value per position: no state, no mask, no reduction."""
