"""What an operator may set: a frozen schema, its loader, secrets, defaults and deployment files."""
