# From a file of reviews to a folder that a service runs without PyTorch.
.venv/bin/pip install --editable ".[demo,onnx]"
lmdistill distill examples/own_data.yaml --out runs/to-export
lmdistill export runs/to-export/MixKD-seed0 --to onnx --int8 --min-agreement 0.5 --out runs/exported
lmdistill predict runs/exported examples/reviews.csv --out runs/exported-predictions.csv
lmdistill evaluate runs/exported
lmdistill measure runs/exported --tokens 16
python examples/serve_onnx.py runs/exported "The soup was cold."
