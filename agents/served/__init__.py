"""A student in the LLM's place: a teacher behind it where it is unsure, and what comes of that for the next run."""
