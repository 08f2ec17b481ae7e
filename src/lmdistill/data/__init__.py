"""From files and hubs to batches: tasks, sources, encoding, sampling, collation, mixup, augmentation."""
