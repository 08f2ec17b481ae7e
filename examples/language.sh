lmdistill demo --language

lmdistill evaluate runs/demo-language/ATKD-seed0 --prompts examples/beginnings.jsonl
lmdistill generate runs/demo-language/ATKD-seed0 examples/beginnings.jsonl --out runs/written.jsonl --max-new 40
