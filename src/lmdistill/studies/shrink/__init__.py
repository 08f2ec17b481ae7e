"""Search for a student within limits of speed and size: shapes, limits, successive halving, the choice."""
