"""Students as folders that other software loads."""
