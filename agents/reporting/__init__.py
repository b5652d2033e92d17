"""What came of it all, as files and in words: rows, data card, figures, report."""
