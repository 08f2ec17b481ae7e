lmdistill distill examples/imbalanced.yaml --out runs/messages
lmdistill evaluate runs/messages
