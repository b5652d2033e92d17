"""Which rows may stay, and why the others may not."""
