"""What the library has to say while it works, as records of the logger "fallline": `logging` decides who hears them.

Nothing is printed to a program that is not watched. Where nobody has set logging up, and standard error is a terminal or the
process a notebook's, a note is shown there, as Python shows warnings of unconfigured loggers; any handler, or any level of
the logger (`logging.getLogger("fallline").setLevel("WARNING")`), takes over.
"""

import logging
import sys

LOGGER = logging.getLogger("fallline")


def tell(text: str) -> None:
    """Say something that is worth knowing and asks for nothing."""
    if LOGGER.level or LOGGER.hasHandlers():
        LOGGER.info(text)
    elif watched():
        logging.StreamHandler(sys.stderr).handle(
            LOGGER.makeRecord(LOGGER.name, logging.INFO, __file__, 0, f"fallline: {text}", (), None)
        )


def watched() -> bool:
    """Whether somebody sits before this process."""
    return "ipykernel" in sys.modules or bool(sys.stderr and sys.stderr.isatty())
