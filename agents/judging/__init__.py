"""A judge of labelled rows, and whether it can be trusted."""
