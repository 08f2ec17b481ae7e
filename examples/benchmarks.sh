# The benchmarks come from a package of their own, and their data from the hub.
.venv/bin/pip install --editable ".[eval]"
lmdistill evaluate runs/demo-language/ATKD-seed0 --benchmark arc_easy --benchmark my_tasks --few-shot 5
