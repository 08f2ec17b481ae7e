"""Networks to numbers: quality, agreement, calibration, cost."""
