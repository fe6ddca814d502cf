"""What the environment and the configuration file say: every variable, and how its value is read."""
