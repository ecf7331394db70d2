"""`python -m tests.state DATABASE_URL EXAMPLES SEED`: 0 if no promise broke. The database is one of its server's."""

import logging
import sys

import structlog

from tests.state.play import play, workbench


def main() -> None:
    server, examples, seed = sys.argv[1:]
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    with workbench(server) as bench:
        play(bench, int(examples), int(seed))


if __name__ == "__main__":
    main()
