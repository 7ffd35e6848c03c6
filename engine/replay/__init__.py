"""Recorded trades through the actors of the engine, on virtual time and a store in memory."""
