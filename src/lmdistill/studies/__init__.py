"""Studies: a base recipe, axes and seeds; a run for each cell, in a process of its own."""
