"""Statistics of run records: comparison tables, significance tests, alarms. It imports no torch."""
