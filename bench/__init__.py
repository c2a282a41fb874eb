"""Speed and size of the served product, measured from outside: `python -m bench`."""
