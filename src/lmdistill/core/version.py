"""The version of this package, known without asking how it was installed."""

VERSION = "0.2.0"
"""The same as in `pyproject.toml`; a test compares them."""
