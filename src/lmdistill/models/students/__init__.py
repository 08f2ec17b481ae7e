"""Initialisation of students: from layers of the teacher, or with random weights."""
