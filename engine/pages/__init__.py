"""The pages that people open in a browser: drawn on the server from what the API answers."""
