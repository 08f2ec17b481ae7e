"""Studies: one run, in a process of its own, for each combination of axes and seeds over a base recipe."""
