"""Hakken for assistants: a server of the Model Context Protocol (docs/mcp.md)."""
