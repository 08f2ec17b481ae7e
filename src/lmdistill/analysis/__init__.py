"""Records to statistics: comparisons, significance, alarms. No torch, no drawing."""
