//! A completion, put together from its parts. Providers differ in what they leave out, repeat and cut; whatever they do
//! ends in calls with ids of our own and arguments that are an object, or in the reason why not.

use serde_json::{Map, Value};

/// An answer of the model.
#[derive(Debug, Default)]
pub struct Completion {
    pub text: String,
    pub calls: Vec<ToolCall>,
    /// As the provider counts, if it does.
    pub tokens: Option<i64>,
    /// The length of what was received.
    pub bytes: usize,
    pieces: Vec<Pieces>,
}

/// A call of a tool.
#[derive(Debug, Clone, PartialEq)]
pub struct ToolCall {
    /// Of our own: those of providers can be missing or repeat. Nine letters and digits, as Mistral wants it.
    pub id: String,
    pub name: String,
    pub arguments: Result<Map<String, Value>, &'static str>,
}

/// A call that is not complete.
#[derive(Debug, Default)]
struct Pieces {
    /// How the provider names it.
    index: Option<i64>,
    id: Option<String>,
    name: String,
    /// JSON.
    text: String,
    object: Option<Map<String, Value>>,
}

impl Completion {
    /// Adds a part, and answers the text that it adds.
    pub fn add(&mut self, part: &Value) -> String {
        if let Some(tokens) = part["usage"]["total_tokens"].as_i64() {
            self.tokens = Some(tokens);
        }
        let choice = &part["choices"][0];
        // A provider that does not stream answers the whole message.
        let delta = if choice["delta"].is_object() { &choice["delta"] } else { &choice["message"] };
        for call in delta["tool_calls"].as_array().into_iter().flatten() {
            self.add_call(call);
        }
        // The form before there were several calls at once.
        if delta["function_call"].is_object() {
            let call = serde_json::json!({ "index": 0, "function": delta["function_call"] });
            self.add_call(&call);
        }
        let text = match &delta["content"] {
            Value::String(text) => text.clone(),
            Value::Array(parts) => parts.iter().filter_map(|part| part["text"].as_str()).collect(),
            _ => String::new(),
        };
        self.text += &text;
        text
    }

    fn add_call(&mut self, call: &Value) {
        let index = call["index"].as_i64();
        let id = call["id"].as_str().filter(|id| !id.is_empty());
        let function = &call["function"];
        let name = function["name"].as_str().unwrap_or_default();
        let known = match (index, id) {
            // Some providers number every call 0, and tell them apart by their ids.
            (Some(_), Some(id)) if !name.is_empty() => self
                .pieces
                .iter()
                .position(|pieces| pieces.index == index && pieces.id.as_deref() == Some(id)),
            (Some(_), _) => self.pieces.iter().rposition(|pieces| pieces.index == index),
            (None, Some(id)) => {
                self.pieces.iter().rposition(|pieces| pieces.id.as_deref() == Some(id))
            }
            // A piece without a name continues the last call.
            (None, None) if name.is_empty() => self.pieces.len().checked_sub(1),
            (None, None) => None,
        };
        let at = known.unwrap_or_else(|| {
            self.pieces.push(Pieces { index, id: id.map(str::to_owned), ..Pieces::default() });
            self.pieces.len() - 1
        });
        let pieces = &mut self.pieces[at];
        // A repeated call with the same id and a complete object is the same call.
        if name != pieces.name {
            pieces.name += name;
        }
        match &function["arguments"] {
            Value::String(text) => pieces.text += text,
            Value::Object(object) => pieces.object = Some(object.clone()),
            _ => {}
        }
    }

    /// Ends the completion: what was received is all.
    pub fn finish(&mut self) {
        let pieces = std::mem::take(&mut self.pieces);
        self.calls = pieces
            .into_iter()
            .enumerate()
            .map(|(at, pieces)| ToolCall {
                id: format!("call{:05}", at + 1),
                arguments: pieces.arguments(),
                name: pieces.name,
            })
            .collect();
    }

    /// Whether the model has said nothing.
    pub fn is_empty(&self) -> bool {
        self.text.trim().is_empty() && self.calls.is_empty()
    }
}

impl Pieces {
    fn arguments(&self) -> Result<Map<String, Value>, &'static str> {
        const MALFORMED: &str = "the arguments must be one JSON object";
        let mut arguments = match &self.object {
            Some(object) => object.clone(),
            None if self.text.trim().is_empty() => Map::new(),
            None => match serde_json::from_str(&self.text) {
                Ok(Value::Object(object)) => object,
                // JSON within JSON.
                Ok(Value::String(text)) => serde_json::from_str(&text).map_err(|_| MALFORMED)?,
                Ok(Value::Null) => Map::new(),
                _ => return Err(MALFORMED),
            },
        };
        // Only the user confirms.
        arguments.remove(rondo_tool::CONFIRM);
        Ok(arguments)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// The name and arguments of each call; null for malformed ones.
    fn calls(deltas: &[Value]) -> Vec<(String, Value)> {
        let mut completion = Completion::default();
        for delta in deltas {
            completion.add(&json!({ "choices": [{ "delta": { "tool_calls": delta } }] }));
        }
        completion.finish();
        let found = completion.calls.into_iter();
        found.map(|call| (call.name, call.arguments.map_or(Value::Null, Value::Object))).collect()
    }

    fn call(index: Value, id: Value, name: Value, arguments: Value) -> Value {
        json!([{ "index": index, "id": id, "function": { "name": name, "arguments": arguments } }])
    }

    #[test]
    fn calls_are_put_together() {
        let none = || Value::Null;
        let a = ("a".to_owned(), json!({"x": 1}));
        let b = ("b".to_owned(), json!({"y": 2}));
        let check = |what: &str, deltas: &[Value], expected: &[(String, Value)]| {
            assert_eq!(calls(deltas), expected, "{what}");
        };
        check(
            "pieces",
            &[
                call(json!(0), json!("i"), json!("a"), json!("")),
                call(json!(0), none(), none(), json!("{\"x\"")),
                call(json!(0), none(), none(), json!(":1}")),
            ],
            std::slice::from_ref(&a),
        );
        check(
            "several at once",
            &[
                call(json!(0), json!("i"), json!("a"), json!("{\"x\":")),
                call(json!(1), json!("j"), json!("b"), json!("{\"y\":")),
                call(json!(0), none(), none(), json!("1}")),
                call(json!(1), none(), none(), json!("2}")),
            ],
            &[a.clone(), b.clone()],
        );
        check(
            "an object, and no id",
            &[
                call(none(), none(), json!("a"), json!({"x": 1})),
                call(none(), none(), json!("b"), json!({"y": 2})),
            ],
            &[a.clone(), b.clone()],
        );
        check(
            "every index 0",
            &[
                call(json!(0), json!("i"), json!("a"), json!("{\"x\":1}")),
                call(json!(0), json!("j"), json!("b"), json!("{\"y\":2}")),
            ],
            &[a.clone(), b.clone()],
        );
        check(
            "an id twice",
            &[
                call(json!(0), json!("i"), json!("a"), json!("{\"x\":1}")),
                call(json!(1), json!("i"), json!("b"), json!("{\"y\":2}")),
            ],
            &[a.clone(), b.clone()],
        );
        check(
            "a name with each piece",
            &[
                call(json!(0), json!("i"), json!("a"), json!("{\"x\"")),
                call(json!(0), json!("i"), json!("a"), json!(":1}")),
            ],
            std::slice::from_ref(&a),
        );
        check(
            "no index, pieces",
            &[
                call(none(), json!("i"), json!("a"), json!("{\"x\"")),
                call(none(), none(), none(), json!(":1}")),
            ],
            std::slice::from_ref(&a),
        );
        check(
            "JSON within JSON",
            &[call(json!(0), json!("i"), json!("a"), json!("\"{\\\"x\\\":1}\""))],
            &[a],
        );
        for nothing in ["", " ", "null", "{}"] {
            check(
                nothing,
                &[call(json!(0), none(), json!("a"), json!(nothing))],
                &[("a".into(), json!({}))],
            );
        }
        for malformed in ["{\"x\":", "[1]", "1", "\"x\"", "{}{}"] {
            check(
                malformed,
                &[call(json!(0), none(), json!("a"), json!(malformed))],
                &[("a".into(), none())],
            );
        }
        check(
            "a confirmation is the user's",
            &[call(json!(0), none(), json!("a"), json!("{\"confirm\":\"t\"}"))],
            &[("a".into(), json!({}))],
        );
    }

    #[test]
    fn text_and_tokens() {
        let mut completion = Completion::default();
        let texts = [
            json!({"choices": [{"delta": {"role": "assistant", "content": ""}}]}),
            json!({"choices": [{"delta": {"content": "Hel"}}]}),
            json!({"choices": [{"delta": {"content": [{"type": "text", "text": "lo"}]}}]}),
            json!({"choices": [{"delta": {"content": null}, "finish_reason": "stop"}]}),
            json!({"choices": [], "usage": {"total_tokens": 12}}),
            json!({"error": {"message": "x"}}),
            json!([1]),
        ];
        let added: Vec<_> = texts.iter().map(|part| completion.add(part)).collect();
        assert_eq!(added.concat(), "Hello");
        completion.finish();
        assert_eq!((completion.text.as_str(), completion.tokens), ("Hello", Some(12)));
        let mut whole = Completion::default();
        let call = json!({"name": "a", "arguments": "{\"x\":1}"});
        whole.add(&json!({"choices": [{"message": {"content": "Hi", "function_call": call}}]}));
        whole.finish();
        assert_eq!((whole.text.as_str(), whole.calls.len()), ("Hi", 1));
        assert_eq!(whole.calls[0].id, "call00001");
    }
}
