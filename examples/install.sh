# Into a virtual environment of its own.
python3 -m venv .venv
.venv/bin/pip install --editable ".[demo]"
