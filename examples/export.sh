# From a file of reviews to a folder that a service runs without PyTorch.
.venv/bin/pip install --editable ".[demo,onnx]"
lmdistill distill examples/own_data.yaml --set data.dev=0.4 --out runs/to-export
lmdistill export runs/to-export/MixKD-seed0 --to onnx --int8 --min-agreement 0.5 --out runs/exported
lmdistill predict runs/exported examples/reviews.csv --out runs/exported-predictions.csv
lmdistill evaluate runs/exported
lmdistill measure runs/exported --tokens 16
python examples/serve_onnx.py runs/exported "The soup was cold."

# A promise about its answers, and the texts that it leaves to its teacher.
lmdistill predict runs/to-export/teacher examples/new_reviews.csv --text review --out runs/exported-answers.csv
lmdistill certify runs/exported runs/exported-answers.csv --agreement 0.5 --price 0.002
lmdistill predict runs/exported examples/reviews.csv --out runs/exported-deferred.csv
python examples/serve_onnx.py runs/exported "The soup was cold."
