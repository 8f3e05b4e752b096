"""The subcommands of ``python -m model_build``, one module each.

A command module has ``HELP`` (one line), ``add_arguments(parser)`` and ``run(arguments)``.
"""
