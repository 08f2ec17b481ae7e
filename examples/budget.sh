# From limits of speed and size to a service whose agreement is certified, and watched.
.venv/bin/pip install --editable ".[demo,onnx,serve]"
lmdistill shrink examples/budget.yaml --max-latency 5ms --max-size 20MB --layers 1,2,3 --widths 1,0.5 --out runs/budget
lmdistill predict runs/budget/teacher examples/new_reviews.csv --text review --out runs/budget-answers.csv
lmdistill certify runs/budget/student runs/budget-answers.csv --agreement 0.6 --price 0.002
lmdistill serve runs/budget/student --port 8000 --audit runs/budget-audit.jsonl --audit-share 0.1

python examples/ask_server.py http://127.0.0.1:8000 "The soup was cold." "We want to come back."
lmdistill monitor runs/budget/student examples/audit.csv --out runs/budget-audit.html
