"""Programs that leave with a student: each stands alone, knows nothing of Smelt, and is copied as it is."""
