"""Tables, plots and HTML pages of run records. It imports no torch."""
