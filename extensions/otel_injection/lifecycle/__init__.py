"""Notices how processes begin and end, one module for each kind: forks, servers, signals, the end."""
