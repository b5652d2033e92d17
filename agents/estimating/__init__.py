"""What a run would cost, take and bring, told from a pilot of it before the money is spent."""
