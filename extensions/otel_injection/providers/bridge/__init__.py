"""Joins the API that an app brings to the payload's own, where these are two; see ``imports.private_api``."""
