"""Data types, protocols and errors that every other package uses, seeding, fingerprints, atomic files."""
