"""Searching for the settings that measure best on fans kept out of training."""
