"""Search: trials that a sampler draws from ranges and choices, each an ordinary run for each seed."""
