"""`smelt annotate`: a user's own inputs, labelled."""
