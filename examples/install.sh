# Into a virtual environment of its own: from a checkout, or as a wheel.
python3 -m venv .venv
.venv/bin/pip install --editable ".[demo]"

.venv/bin/pip wheel --no-deps --wheel-dir dist .
.venv/bin/pip install "dist/lmdistill-0.2.0-py3-none-any.whl[demo]"
