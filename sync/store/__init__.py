"""What is durable: the ports, and their implementations on SQLite and in memory."""
