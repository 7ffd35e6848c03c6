"""HTTP to servers on the same machine, without TLS."""

import ssl

NO_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
"""`verify` of such a client: it trusts nobody. Without it each new client reads all certificates there are, 20 ms of processor
time: more than most of what is asked."""
