"""Where processes are born and where they die: one module per kind."""
