"""Readers of data files: CSV, TSV, JSON, Parquet and plain text; and data sets of the Hugging Face hub."""
