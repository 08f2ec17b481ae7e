lmdistill distill examples/own_data.yaml --out runs/first
lmdistill distill examples/imbalanced.yaml --set student.model=runs/first/MixKD-seed0 --out runs/second
