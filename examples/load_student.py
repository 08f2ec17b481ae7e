"""A student is a folder that plain transformers loads; this package is not needed."""

from transformers import pipeline

classify = pipeline("text-classification", "runs/demo/MixKD-seed0/student")
print(classify("A wonderful evening with friends."))
