//! What the host's front knows of a request's client, among the request's extensions.

use std::sync::Arc;

/// Whose request it is: the bounds of what one client may hold count by it. A request without it counts
/// towards the common bounds alone.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Client(pub Arc<str>);

/// How many bytes of a request's body are kept; the rest is read and discarded. Without it, as many as a
/// component can read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BodyBytesMax(pub usize);
