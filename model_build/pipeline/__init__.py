"""The whole build from one configuration file: stages with their parameters, inputs and outputs.

`config` reads the file, `plan` makes tasks of it, `runner` knows which of them are up to date and
runs the others, `results` has what trackers are sent.
"""
