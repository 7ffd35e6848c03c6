"""The engine's HTTP interface: routes, who may call them, and what they answer."""
