"""The HTTP side of learning plans."""
