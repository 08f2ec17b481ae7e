lmdistill distill examples/unlabelled.yaml --out runs/unlabelled

lmdistill predict runs/unlabelled/KD-seed0 examples/reviews.csv --out runs/teacher-answers.csv
lmdistill distill examples/answers.yaml --out runs/answered
