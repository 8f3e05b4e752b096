"""stub"""

import argparse

HELP = "x"


def add_arguments(parser: argparse.ArgumentParser) -> None: ...
def run(arguments: argparse.Namespace) -> None: ...
