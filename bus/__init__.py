"""How events travel and how actors run."""
