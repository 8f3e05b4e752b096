"""The whole build from one configuration file: each step is a command with its options.

`options` reads from the commands what can be configured, `config` reads the file, `plan` makes
tasks of it, `records` knows which of them are up to date, `running` runs the others; `tracking`
tells an experiment tracker.
"""
