"""Tables of a report, as cells of text."""
