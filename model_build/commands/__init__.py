"""The commands of ``python -m model_build``, one module each: a config, a call, what is printed.

A module has ``CONFIG``, which holds its options, and ``run(config)``, which imports what it needs:
asking for help loads none of it.
"""
