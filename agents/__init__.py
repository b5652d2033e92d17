"""The minds: what to ask, in which order, and whether the answer is good."""
