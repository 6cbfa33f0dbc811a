"""The regional core: accepts, journals, decides the route, calls providers, follows the status."""
