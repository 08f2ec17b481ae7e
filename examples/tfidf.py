"""A linear model on TF-IDF features from Python, with the labels of a file alone."""

import lmdistill as ld

task = ld.load_task("own", data="examples/reviews.csv", text="review", label="opinion", dev=0.2)
run = ld.distill(None, task, method=ld.TFIDF(alpha=0.0), out="runs/python-tfidf")
print(run.metrics)
print(run.linear.labels, run.linear.probabilities(["The soup was cold."]).round(2))
