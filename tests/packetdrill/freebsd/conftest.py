"""These scripts speak of FreeBSD: tests/drill/test_freebsd_scripts.py runs them with its profile."""

collect_ignore_glob = ["*.pkt"]
