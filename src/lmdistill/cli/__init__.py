"""The command line: each module parses the arguments of one command, runs it and prints its results."""
