"""Asks `lmdistill serve` for the answers to texts: a line of JSON for each, with the standard library alone.

python examples/ask_server.py http://127.0.0.1:8000 "The soup was cold."
"""

import json
import sys
import urllib.error
import urllib.request

ADDRESS, TEXTS = sys.argv[1], sys.argv[2:]

request = urllib.request.Request(
    f"{ADDRESS}/predict",
    data=json.dumps({"texts": TEXTS}).encode(),
    headers={"Content-Type": "application/json"},
)
try:
    with urllib.request.urlopen(request, timeout=30) as reply:
        answers = json.load(reply)["answers"]
except urllib.error.HTTPError as error:
    sys.exit(json.load(error)["error"])
for text, answer in zip(TEXTS, answers, strict=True):
    print(json.dumps({"text": text, **answer}, ensure_ascii=False))
