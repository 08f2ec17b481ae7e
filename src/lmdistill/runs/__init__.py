"""Execution: what a recipe asks for is trained, evaluated and written to run folders."""
