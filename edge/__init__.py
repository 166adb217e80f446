"""The edge: translates between channels and events, nothing more."""
