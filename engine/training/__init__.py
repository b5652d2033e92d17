"""Students: small models that learn a text-to-text mapping from rows. One file a family.

A student knows rows and nothing of prompts, teachers or money. `train` makes one in a folder, `load` brings it back.
"""
