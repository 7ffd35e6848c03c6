"""What is known at a moment of the past, so that a strategy tried on it sees nothing of what came later."""
