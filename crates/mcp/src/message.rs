//! Messages as clients send them: one JSON-RPC 2.0 request, notification or response in each body.

use serde_json::{Map, Value};

use crate::error::{Code, Error};

/// Looks a header up by its name, in lower case.
pub type Headers<'a> = &'a dyn Fn(&str) -> Option<String>;

/// A message that has the form of one.
#[derive(Debug, PartialEq)]
pub(crate) enum Message {
    Request(Request),
    Notification,
    /// A response to a request of the server's. This server sends none.
    Response,
}

/// A request.
#[derive(Debug, PartialEq)]
pub(crate) struct Request {
    /// A string or an integer.
    pub id: Value,
    pub method: String,
    pub params: Map<String, Value>,
}

/// A body that is no message, with the id if it has one.
#[derive(Debug, PartialEq)]
pub(crate) struct Malformed {
    pub id: Option<Value>,
    pub error: Error,
}

impl Message {
    pub fn read(body: &[u8]) -> Result<Self, Malformed> {
        let refuse = |id: Option<Value>, code, message: &str| {
            Err(Malformed { id, error: Error::malformed(code, message) })
        };
        let mut members = match serde_json::from_slice(body) {
            Ok(Value::Object(members)) => members,
            Ok(Value::Array(_)) => {
                return refuse(None, Code::InvalidRequest, "send one message in each request");
            }
            Ok(_) => return refuse(None, Code::InvalidRequest, "a message is an object"),
            Err(error) => return refuse(None, Code::Parse, &format!("not JSON: {error}")),
        };
        let id = members.remove("id");
        let known = id.clone().filter(|id| id.is_string() || id.is_i64() || id.is_u64());
        if members.get("jsonrpc").and_then(Value::as_str) != Some("2.0") {
            return refuse(known, Code::InvalidRequest, "jsonrpc must be \"2.0\"");
        }
        let is_response = members.contains_key("result") || members.contains_key("error");
        let method = match members.remove("method") {
            Some(Value::String(method)) => method,
            None if is_response => return Ok(Self::Response),
            _ => return refuse(known, Code::InvalidRequest, "method must be a string"),
        };
        let params = match members.remove("params") {
            None => Map::new(),
            Some(Value::Object(params)) => params,
            Some(_) => return refuse(known, Code::InvalidParams, "params must be an object"),
        };
        match (id, known) {
            (None, _) => Ok(Self::Notification),
            (Some(_), Some(id)) => Ok(Self::Request(Request { id, method, params })),
            (Some(_), None) => {
                refuse(None, Code::InvalidRequest, "id must be a string or an integer")
            }
        }
    }
}

impl Request {
    /// A required parameter that is a string.
    pub fn text(&self, name: &str) -> Result<&str, Error> {
        let value = self.params.get(name).and_then(Value::as_str);
        value.ok_or_else(|| Error::params(format!("params.{name} must be a string")))
    }

    /// A parameter that is an object; empty if it is absent.
    pub fn object(&self, name: &str) -> Result<Map<String, Value>, Error> {
        match self.params.get(name) {
            None | Some(Value::Null) => Ok(Map::new()),
            Some(Value::Object(members)) => Ok(members.clone()),
            Some(_) => Err(Error::params(format!("params.{name} must be an object"))),
        }
    }

    /// An optional parameter that is a string.
    pub fn optional_text(&self, name: &str) -> Result<Option<String>, Error> {
        match self.params.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(_) => self.text(name).map(|text| Some(text.to_owned())),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(message: &Value) -> Result<Message, Malformed> {
        Message::read(message.to_string().as_bytes())
    }

    #[test]
    fn messages() {
        let request = |id: Value| {
            let params = Map::from_iter([("a".to_owned(), json!(1))]);
            Ok(Message::Request(Request { id, method: "x".to_owned(), params }))
        };
        for id in [json!(1), json!(-1), json!("1"), json!("")] {
            let message =
                json!({"jsonrpc": "2.0", "id": id, "method": "x", "params": {"a": 1}, "more": 1});
            assert_eq!(read(&message), request(id));
        }
        assert_eq!(read(&json!({"jsonrpc": "2.0", "method": "x"})), Ok(Message::Notification));
        let response = json!({"jsonrpc": "2.0", "id": 1, "result": {}});
        assert_eq!(read(&response), Ok(Message::Response));
    }

    #[test]
    fn malformed_messages() {
        for (message, id, code) in [
            (json!([]), None, Code::InvalidRequest),
            (json!(1), None, Code::InvalidRequest),
            (json!({}), None, Code::InvalidRequest),
            (json!({"id": 1, "method": "x"}), Some(json!(1)), Code::InvalidRequest),
            (
                json!({"jsonrpc": "1.0", "id": 1, "method": "x"}),
                Some(json!(1)),
                Code::InvalidRequest,
            ),
            (json!({"jsonrpc": "2.0", "id": 1}), Some(json!(1)), Code::InvalidRequest),
            (json!({"jsonrpc": "2.0", "id": 1, "method": 1}), Some(json!(1)), Code::InvalidRequest),
            (json!({"jsonrpc": "2.0", "id": null, "method": "x"}), None, Code::InvalidRequest),
            (json!({"jsonrpc": "2.0", "id": 1.5, "method": "x"}), None, Code::InvalidRequest),
            (
                json!({"jsonrpc": "2.0", "id": "a", "method": "x", "params": []}),
                Some(json!("a")),
                Code::InvalidParams,
            ),
        ] {
            let refused = read(&message).unwrap_err();
            assert_eq!((refused.id, refused.error.code), (id, code), "{message}");
            assert_eq!(refused.error.status(false), 400);
        }
        assert_eq!(Message::read(b"{").unwrap_err().error.code, Code::Parse);
    }
}
