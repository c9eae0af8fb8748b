//! The parts of a streamed answer: Server-Sent Events with JSON (WHATWG HTML, section 9.2), or one JSON document from a
//! provider that does not stream.

use serde_json::Value;

/// What a stream ends with.
const DONE: &str = "[DONE]";

/// Reads parts from bytes, however they are cut.
pub struct Reader {
    /// A line that has not ended.
    rest: Vec<u8>,
    /// The data of an event that has not ended.
    data: String,
    /// Everything, as long as no line of an event has been seen.
    document: Option<Vec<u8>>,
}

impl Reader {
    pub fn new() -> Self {
        Self { rest: Vec::new(), data: String::new(), document: Some(Vec::new()) }
    }

    /// The parts that end with these bytes.
    pub fn push(&mut self, bytes: &[u8]) -> Vec<Value> {
        if let Some(document) = &mut self.document {
            document.extend_from_slice(bytes);
        }
        let mut parts = Vec::new();
        for byte in bytes {
            if *byte == b'\n' {
                let line = std::mem::take(&mut self.rest);
                parts.extend(self.line(&line));
            } else {
                self.rest.push(*byte);
            }
        }
        parts
    }

    /// The parts that end with the stream.
    pub fn end(mut self) -> Vec<Value> {
        let line = std::mem::take(&mut self.rest);
        let mut parts: Vec<_> = self.line(&line).into_iter().collect();
        parts.extend(self.event());
        if let Some(document) = self.document {
            parts.extend(serde_json::from_slice(&document).ok());
        }
        parts
    }

    fn line(&mut self, line: &[u8]) -> Option<Value> {
        let line = String::from_utf8_lossy(line);
        let line = line.trim_end_matches('\r');
        if line.is_empty() {
            return self.event();
        }
        let data = line.strip_prefix("data:")?;
        self.document = None;
        let data = data.strip_prefix(' ').unwrap_or(data);
        // Some providers end each line as an event, without the empty line.
        let ended =
            if serde_json::from_str::<Value>(&self.data).is_ok() { self.event() } else { None };
        if !self.data.is_empty() {
            self.data.push('\n');
        }
        self.data += data;
        ended
    }

    fn event(&mut self) -> Option<Value> {
        let data = std::mem::take(&mut self.data);
        if data.trim() == DONE {
            return None;
        }
        serde_json::from_str(&data).ok()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(text: &str, size: usize) -> Vec<Value> {
        let mut reader = Reader::new();
        let mut parts = Vec::new();
        for bytes in text.as_bytes().chunks(size) {
            parts.extend(reader.push(bytes));
        }
        parts.extend(reader.end());
        parts
    }

    #[test]
    fn parts_are_read_however_they_are_cut() {
        let numbers = vec![json!({"a": "ä"}), json!({"a": 2})];
        for text in [
            "data: {\"a\":\"ä\"}\n\ndata: {\"a\":2}\n\ndata: [DONE]\n\n",
            "data: {\"a\":\"ä\"}\r\n\r\ndata: {\"a\":2}\r\n\r\n",
            ": ping\n\nevent: x\ndata:{\"a\":\"ä\"}\n\nid: 1\ndata: {\"a\":2}",
            "data: {\"a\":\ndata: \"ä\"}\n\n\n\ndata: {\"a\":2}\n\n",
            "data: {\"a\":\"ä\"}\ndata: {\"a\":2}\ndata: [DONE]\n",
        ] {
            for size in [1, 2, 7, 1_000] {
                assert_eq!(read(text, size), numbers, "{text:?} by {size}");
            }
        }
        assert_eq!(read("{\"a\":\n\"ä\"}", 3), [json!({"a": "ä"})]);
        for nothing in ["", "data: [DONE]\n\n", "<html>", "data: {", "\u{0}\n\n"] {
            assert!(read(nothing, 2).is_empty(), "{nothing:?}");
        }
    }
}
