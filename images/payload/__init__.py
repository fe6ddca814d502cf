"""What goes into the image: packages that are installed, whose module is whose, rewriting, pruning, the index."""
