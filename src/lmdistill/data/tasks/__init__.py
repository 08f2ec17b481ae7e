"""Classification and regression tasks: where they come from, their examples, tokens and batches."""
