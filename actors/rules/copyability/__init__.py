"""What copying a trader would have made: costs, evidence, capacity and style, as functions of values."""
