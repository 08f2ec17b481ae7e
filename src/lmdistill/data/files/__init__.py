"""File formats and sources of rows: CSV, TSV, JSON, Parquet, plain text, the hub."""
