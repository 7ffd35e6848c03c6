"""The machine that hosts the actors: runtime, adapters, simulator, wiring, command line."""
