"""A change of strategies before it is applied: what would have been copied otherwise, trade by trade."""
