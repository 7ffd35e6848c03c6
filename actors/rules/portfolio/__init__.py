"""What copies came to: matched first in first out, settled at payouts, valued at prices that say their age."""
