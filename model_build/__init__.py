"""The offline job: read ratings, train, evaluate. Nothing in `app` imports this."""
