"""usertcp: a complete TCP in user space (RFC 9293), on trio and a Linux TUN."""

__version__ = "0.1.0"
