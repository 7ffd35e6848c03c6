"""What is said: messages between actors, ports, wire codecs of the venue. Pure; imports nothing of ours."""
