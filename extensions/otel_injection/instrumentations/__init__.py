"""When and how each library is instrumented, and where its instrumentation differs from upstream's."""
