"""What JSON looks like, once: these classes describe the API and build every answer.

``model_build recommend --json`` and ``similar --json`` print them, too: nothing here knows Flask.
"""
