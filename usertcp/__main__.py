"""``python -m usertcp``, the same as ``usertcp``."""

from usertcp.cli import main

if __name__ == "__main__":
    main(prog_name="usertcp")
