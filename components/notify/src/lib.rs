//! What a due reminder says, and the history of what was sent.
