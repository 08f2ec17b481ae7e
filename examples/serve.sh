# In one terminal, the server of an exported folder; in another one, its clients.
.venv/bin/pip install --editable ".[onnx,serve]"
lmdistill serve runs/exported --port 8000 --audit runs/audit.jsonl --audit-share 0.1

python examples/ask_server.py http://127.0.0.1:8000 "The soup was cold." "We want to come back."
curl http://127.0.0.1:8000/metrics
