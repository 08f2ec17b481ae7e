"""Kills, damaged files, simultaneous commands and bad inputs by the hundred: `make torture`, about an hour."""
