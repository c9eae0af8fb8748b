SELECT name FROM transport
