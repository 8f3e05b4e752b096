"""The commands of ``python -m model_build``, one module each: what its help says, and its options.

A module has ``CONFIG``, which holds the options, and ``run(config)``, which imports what it needs:
asking for help loads none of it. One without ``run`` prints what the job of its config returns
(`model_build.pipeline.task`).
"""
