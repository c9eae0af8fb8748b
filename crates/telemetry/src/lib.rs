//! What a running process tells.
