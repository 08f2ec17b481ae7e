.venv/bin/pip install --editable ".[sweep]"
lmdistill study examples/search.yaml
lmdistill study examples/search.yaml --list

# Several machines, each with the same address.
lmdistill study examples/search.yaml --set search.storage=postgresql://me@server/trials --out runs/tuned-here
