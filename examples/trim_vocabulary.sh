# A student with the word pieces that its texts need, in half precision; and the same for a model that is there.
lmdistill distill examples/own_data.yaml --set student.vocabulary=texts --set student.saved_as=float16 --out runs/trimmed
lmdistill evaluate runs/trimmed/MixKD-seed0
lmdistill trim-vocabulary runs/trimmed/FT-seed0 --texts examples/reviews.csv --text review --out runs/trimmed-again
