"""Server spans for apps whose framework has no instrumentation, from where the server takes the app's callable."""
