lmdistill distill examples/multi_label.yaml --out runs/comments

lmdistill evaluate runs/comments/KD-seed0
lmdistill predict runs/comments/KD-seed0 examples/comments.jsonl --out runs/topics.csv
