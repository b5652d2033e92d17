"""What exists already: models and data sets that suit a task, and rows taken from them."""
