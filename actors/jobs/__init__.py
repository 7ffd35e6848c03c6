"""The engine's jobs: what the scheduler runs, one a file."""
