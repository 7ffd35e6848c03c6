"""`python -m engine.simulator`: the same as `polycopy simulator`."""

from engine.cli.simulator import simulator

if __name__ == "__main__":
    simulator()
