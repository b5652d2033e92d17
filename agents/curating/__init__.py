"""`smelt curate`: rows that exist become data one can trust."""
