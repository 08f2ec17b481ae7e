"""From a teacher to a pruned student: units by importance, assistants, and the last stage."""
