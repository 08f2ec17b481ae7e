"""Students made from a teacher's layers, or with random weights."""
