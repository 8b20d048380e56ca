"""Congestion control: how much may be in the network at once (RFC 5681)."""
