"""Turn a large language model into a small one that keeps its quality."""
