"""What injection costs, side by side with the operator's own image: ``./build.sh bench [quick]``."""
