"""A local teacher, tuned on few real labels: what it learns, how it is tuned, and what it is worth."""
