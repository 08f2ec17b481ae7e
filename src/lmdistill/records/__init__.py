"""The run folder's format: what is written and read. No counting, no drawing."""
