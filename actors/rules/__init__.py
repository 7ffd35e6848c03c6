"""Pure decisions: functions of values to values, shared by every path that needs them."""
