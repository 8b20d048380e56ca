"""Networks of hosts in virtual time, from a seed: no clock, no device, no thread."""
