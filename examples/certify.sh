# From an exported folder to a promise about its answers, and to the texts that it leaves to its teacher.
lmdistill distill examples/own_data.yaml --set data.dev=0.4 --out runs/to-certify
lmdistill export runs/to-certify/MixKD-seed0 --out runs/exported-reviews
lmdistill predict runs/to-certify/teacher examples/new_reviews.csv --text review --out runs/exported-answers.csv
lmdistill certify runs/exported-reviews runs/exported-answers.csv --agreement 0.5 --price 0.002
lmdistill predict runs/exported-reviews examples/reviews.csv --out runs/exported-deferred.csv
