"""These scripts speak of Linux: tests/drill/test_linux_scripts.py runs them with its profile."""

collect_ignore_glob = ["*.pkt"]
