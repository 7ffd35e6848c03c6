"""The wallet pollers: positions of traders, and trades that the stream may have missed."""
