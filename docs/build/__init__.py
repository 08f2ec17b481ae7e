"""What makes each kind of part of a page; `docs/make.py` has the list."""
