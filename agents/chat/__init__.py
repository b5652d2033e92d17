"""A page on this machine to ask a student questions, to have the teacher beside it, and to put its answers right."""
