"""What private copies import in place of other modules: one file for each module that is replaced."""
