"""How well what fans did foretells what else they did: masked interactions, measured and tuned."""
