lmdistill distill examples/tfidf.yaml --out runs/tfidf
lmdistill predict runs/tfidf/TF-IDF-seed0 examples/reviews.csv --out runs/tfidf-predictions.csv
