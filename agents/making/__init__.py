"""New rows: planned, asked for, labelled, kept while they are worth their money."""
