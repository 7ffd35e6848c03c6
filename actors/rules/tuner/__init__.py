"""Pure rules of the tuner: what may be changed, how it is proved, what became of it."""
