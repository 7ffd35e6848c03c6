"""The HTTP server and the engine's ASGI application."""
