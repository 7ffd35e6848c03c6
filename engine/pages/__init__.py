"""The web pages of the engine: what draws them, and what browsers get beside them."""
