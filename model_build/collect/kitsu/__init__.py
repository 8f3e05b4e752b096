"""Kitsu: users from random pages, with their favourites, then their libraries."""
