"""Tables of a report, as text in cells."""
