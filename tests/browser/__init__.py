"""A package, so that its fixtures end with its last test: neither their demo nor the loop of the driver outlives it.

Where that loop runs in a test process, what asyncio does there on behalf of a database connection may find the wrong one.
"""
