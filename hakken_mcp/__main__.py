"""Entry point of ``python -m hakken_mcp``."""

import sys

from hakken_mcp.server import main

sys.exit(main())
