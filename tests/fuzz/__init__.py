"""Random recipes, files and records: each is used, or refused in one clean line; never a bug's traceback."""
