"""Answers of an exported classifier with numpy, tokenizers and onnxruntime: a line of JSON for each text.

python examples/serve_onnx.py runs/exported "The soup was cold."
python examples/serve_onnx.py runs/exported < texts.txt
"""

import json
import sys
from pathlib import Path

import numpy as np
import onnxruntime
from tokenizers import Tokenizer

FOLDER = Path(sys.argv[1])
MANIFEST = json.loads((FOLDER / "lmdistill.json").read_text(encoding="utf-8"))
ANSWERS, READS = MANIFEST["answers"], MANIFEST["reads"]
TOKENIZER = Tokenizer.from_file(str(FOLDER / "tokenizer.json"))
TOKENIZER.no_padding()
TOKENIZER.enable_truncation(READS["max_length"], strategy="longest_first")
GRAPH = next(
    name
    for name in (MANIFEST["default"], "onnx-int8", "onnx")
    if name in MANIFEST["graphs"] and "onnx" in name
)
CERTIFICATE = MANIFEST.get("certificates", {}).get(GRAPH)
SESSION = onnxruntime.InferenceSession(str(FOLDER / MANIFEST["graphs"][GRAPH]))


def logits(text: str) -> np.ndarray:
    """Logits of one text."""
    found = TOKENIZER.encode(text)
    inputs = {
        "input_ids": found.ids,
        "attention_mask": found.attention_mask,
        "token_type_ids": found.type_ids,
    }
    return SESSION.run(["logits"], {name: np.array([inputs[name]]) for name in READS["inputs"]})[0][0]


def deferred(confidence: float) -> dict[str, bool]:
    """Whether the text is left to the teacher; nothing if the graph was not certified."""
    return {} if CERTIFICATE is None else {"defer": bool(confidence < CERTIFICATE["threshold"])}


def answer(text: str) -> dict[str, object]:
    """The label with its probability; all labels over their threshold; or the score."""
    values = logits(text).astype(float)
    if ANSWERS["kind"] == "regression":
        return {"score": round(values[0], 6)}
    if ANSWERS["kind"] == "multilabel":
        shares, limits = 1 / (1 + np.exp(-values)), ANSWERS["thresholds"] or [0.5] * len(values)
        chosen = shares >= limits
        names = [name for name, is_chosen in zip(ANSWERS["labels"], chosen, strict=True) if is_chosen]
        return {"labels": names, **deferred(np.where(chosen, shares, 1 - shares).min())}
    shares = np.exp(values - values.max()) / np.exp(values - values.max()).sum()
    return {
        "label": ANSWERS["labels"][shares.argmax()],
        "probability": round(shares.max(), 6),
        **deferred(shares.max()),
    }


for line in sys.argv[2:] or sys.stdin:
    print(json.dumps(answer(line.rstrip("\n"))), flush=True)
