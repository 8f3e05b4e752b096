"""Collecting the lists of many users, to train on: politely, and going on where it was stopped."""
