"""Evaluation of networks: quality, agreement with the teacher, calibration and cost."""
