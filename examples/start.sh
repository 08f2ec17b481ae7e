# Ten minutes on a laptop.
lmdistill distill demo --out runs/demo
lmdistill report runs/demo
lmdistill evaluate runs/demo/MixKD-seed0
lmdistill predict runs/demo/MixKD-seed0 examples/reviews.csv --out runs/answers.csv
lmdistill measure runs/demo/MixKD-seed0
python examples/load_student.py

# One setting changed, in a folder of its own.
lmdistill distill demo --set student.layers=2 --out runs/demo-2-layers

# What there is to choose from.
lmdistill list recipes
lmdistill list methods
lmdistill list tasks
