"""Charts as SVG text, drawn on the server by pure functions of values (`line_chart`, `bar_chart`, `sparkline`, `meter`)."""
