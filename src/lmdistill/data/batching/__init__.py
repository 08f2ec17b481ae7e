"""Which rows form a batch, and the loader that delivers them."""
