"""Numbers to numbers, without torch: what changes over the steps of a run."""
