"""Products for testing: a provider that misbehaves on request, a world that echoes, a loop that never waits."""
