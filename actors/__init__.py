"""The actors: one folder each. They know events, not each other."""
