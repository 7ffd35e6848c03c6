"""Training and measuring of models, in a process of their own; the engine's process imports nothing of it."""
