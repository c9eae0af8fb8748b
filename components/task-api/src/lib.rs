//! Tasks: the HTTP API.
