"""Linear models on TF-IDF features of texts: features, training objective, and files without pickles."""
