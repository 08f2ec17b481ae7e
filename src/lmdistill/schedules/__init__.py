"""Distillation schedules, choice of assistants, pruning ratios and learning-rate schedules, without torch."""
