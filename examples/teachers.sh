lmdistill distill examples/ensemble.yaml --out runs/ensemble

lmdistill distill examples/prompted.yaml --out runs/prompted
