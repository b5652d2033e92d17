"""The machine: calls, time, money, bytes, tensors. It knows no task and no prompt."""
