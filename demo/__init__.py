"""A stand-in for every service that lists come from, for tests and for working without network.

One real HTTP server on loopback speaks all their APIs, with a switch for every way in which they
fail (`demo.faults`). ``python -m demo`` runs it; ``scripts/serve --demo`` runs Hakken against it.
The web process never needs anything of this.
"""
