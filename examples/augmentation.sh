# Rows added by a program: by two translation models, or by rules alone, offline.
lmdistill distill examples/augmentation.yaml --out runs/sst2-bt
lmdistill distill mixkd-sst2 --set data.augmentation.augmenter.name=apertium --out runs/sst2-apertium
lmdistill list augmenters
