# From a file of reviews to a file of answers.
lmdistill distill examples/own_data.yaml --out runs/reviews
lmdistill predict runs/reviews/MixKD-seed0 examples/reviews.csv --out runs/reviews.predicted.csv
