"""Live trading: from a committed claim to an order that is followed to its end."""
