"""Data sets, from files and the hub to batches: loading, tokenization, sampling, collation, augmentation."""
