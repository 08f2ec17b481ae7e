"""Nouns that every other package shares: types, errors, seeds, fingerprints, storage. No models, no loops."""
