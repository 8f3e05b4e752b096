"""Commands for people: set up, serve, test, measure."""
