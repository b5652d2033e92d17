"""What a call may cost and did cost: integers of pico-dollars (10^-12 USD), never floats."""
