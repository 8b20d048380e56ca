"""packetdrill scripts against our own stack, in virtual time."""
