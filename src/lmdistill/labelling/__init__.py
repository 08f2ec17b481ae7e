"""Labels and their probabilities from a large language model behind an OpenAI-compatible server."""
