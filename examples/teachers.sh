lmdistill distill examples/ensemble.yaml --out runs/ensemble
