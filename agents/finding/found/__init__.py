"""Rows that exist already: which data sets to take, which of their columns, what to make of them, how much of it."""
