"""Makes the payload: installs packages, decides whose module is whose, rewrites, prunes, writes the index."""
