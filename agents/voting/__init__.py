"""Labels by several independent votes: asked for, counted, and asked for no longer than needed."""
