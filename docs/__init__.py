"""The pages, and the program that makes parts of them."""
