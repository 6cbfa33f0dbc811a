"""A tenant's webhook endpoints, and the events that are told to them."""
