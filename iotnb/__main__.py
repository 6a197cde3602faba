"""`python -m iotnb` is the command `iotnb`."""

from iotnb.cli import main

if __name__ == "__main__":
    main()
