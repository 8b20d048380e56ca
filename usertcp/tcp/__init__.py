"""One end of a TCP connection, sans-IO: RFC 9293 §3."""
