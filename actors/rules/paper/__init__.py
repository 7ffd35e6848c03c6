"""Virtual fills, positions and money."""
