"""How the image is made: the payload is assembled on the host, then packed from scratch."""
