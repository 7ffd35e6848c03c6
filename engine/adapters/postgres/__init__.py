"""PostgreSQL behind one thin module, its stores and its migrations."""
