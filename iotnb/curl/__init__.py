"""curl lines as vendors' documents print them, read into requests; nothing is sent from here."""

from iotnb.curl.options import Part, Request, parse
from iotnb.curl.words import HOLDER, split

__all__ = ["HOLDER", "Part", "Request", "parse", "split"]
