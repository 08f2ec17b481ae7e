"""One script a question; what they measure is appended to results.csv."""
