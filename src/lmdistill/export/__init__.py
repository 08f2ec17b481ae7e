"""Saving of models in a format that other libraries load."""
