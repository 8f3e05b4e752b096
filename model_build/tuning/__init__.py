"""Searching for the settings that measure best on users kept out of training."""
