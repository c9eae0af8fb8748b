//! Settings of the chat's language model, which `rondo up` passes to its components.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::Args;
use http::Uri;
use rondo_setting::{Cleartext, Service, SettingError, environment, refusal, secret};

const URL: &str = "LLM_URL";
const KEY: &str = "LLM_API_KEY";
/// What the path of a request ends with; a URL may have it.
const COMPLETIONS: &str = "/chat/completions";

#[derive(Args, Default)]
#[command(next_help_heading = "Language model of the chat")]
pub struct LanguageModelArgs {
    /// Base URL of a server that speaks Chat Completions, such as https://api.openai.com/v1 or
    /// http://127.0.0.1:11434/v1. Unless set, the chat has a grammar only. Nobody's tasks go there before they have
    /// switched it on.
    #[arg(long, env = URL, value_name = "URL")]
    pub llm_url: Option<String>,
    /// The model's name there.
    #[arg(long, env = "LLM_MODEL", value_name = "NAME")]
    pub llm_model: Option<String>,
    #[arg(skip = environment(KEY))]
    pub llm_api_key: Option<OsString>,
    /// File with the key of that server, instead of LLM_API_KEY.
    #[arg(long, env = "LLM_API_KEY_FILE", value_name = "FILE")]
    pub llm_api_key_file: Option<PathBuf>,
    /// How many tokens the turns of a user may use on a day, UTC.
    #[arg(long, env = "LLM_TOKENS_PER_DAY", value_name = "NUMBER", default_value_t = 100_000)]
    pub llm_tokens_per_day: u32,
}

/// A model and how to reach it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LanguageModel {
    /// Scheme, host and port: all that the component may reach.
    origin: String,
    path: String,
    name: String,
    key: String,
    tokens_per_day: u32,
}

impl LanguageModelArgs {
    /// The model; none without LLM_URL.
    ///
    /// # Errors
    /// If the URL is malformed, the name is missing, or a key would travel in cleartext.
    pub fn settings(&self, cleartext: &Cleartext) -> Result<Option<LanguageModel>, SettingError> {
        let key = secret(KEY, self.llm_api_key.as_deref(), self.llm_api_key_file.as_deref())?;
        let given = |text: &Option<String>| text.clone().filter(|text| !text.trim().is_empty());
        let (url, name) = match (given(&self.llm_url), given(&self.llm_model)) {
            (Some(url), Some(name)) => (url, name),
            (None, None) if key.is_none() => return Ok(None),
            (Some(_), None) => {
                return Err(refusal(
                    "LLM_MODEL",
                    "is missing: set it to the name of a model at LLM_URL",
                ));
            }
            (None, _) => {
                return Err(refusal(URL, "is missing: set it to the server of the model"));
            }
        };
        let malformed = || refusal(URL, "must be a URL such as https://api.example.com/v1");
        let uri: Uri = url.parse().map_err(|_| malformed())?;
        let (Some(scheme @ ("http" | "https")), Some(authority)) =
            (uri.scheme_str(), uri.authority())
        else {
            return Err(malformed());
        };
        if authority.as_str().contains('@') || uri.query().is_some() {
            return Err(refusal(
                URL,
                "must have neither a password nor a query: LLM_API_KEY has the key",
            ));
        }
        if scheme == "http" {
            // Tasks are no less secret than the key.
            cleartext.check(Service::Llm, URL, [authority.host()], "use https")?;
        }
        let path = uri.path().trim_end_matches('/');
        let path = path.strip_suffix(COMPLETIONS).unwrap_or(path);
        Ok(Some(LanguageModel {
            origin: format!("{scheme}://{authority}"),
            path: path.to_owned(),
            name,
            key: key.unwrap_or_default(),
            tokens_per_day: self.llm_tokens_per_day,
        }))
    }
}

impl LanguageModel {
    /// The value of a variable of spin.toml that is about the model.
    #[must_use]
    pub fn variable(&self, name: &str) -> Option<String> {
        Some(match name {
            "llm_origin" => self.origin.clone(),
            "llm_path" => self.path.clone(),
            "llm_model" => self.name.clone(),
            "llm_api_key" => self.key.clone(),
            "llm_tokens_per_day" => self.tokens_per_day.to_string(),
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(url: &str, model: &str, key: &str) -> Result<Option<LanguageModel>, String> {
        let given = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
        let args = LanguageModelArgs {
            llm_url: given(url),
            llm_model: given(model),
            llm_api_key: given(key).map(OsString::from),
            llm_tokens_per_day: 7,
            ..LanguageModelArgs::default()
        };
        args.settings(&Cleartext::default()).map_err(|error| error.to_string())
    }

    #[test]
    fn a_url_is_an_origin_and_a_path() {
        for (url, origin, path) in [
            ("https://api.example.com/v1", "https://api.example.com", "/v1"),
            ("https://api.example.com:8443/v1/", "https://api.example.com:8443", "/v1"),
            ("https://api.example.com", "https://api.example.com", ""),
            ("http://127.0.0.1:11434/v1/chat/completions", "http://127.0.0.1:11434", "/v1"),
            ("https://api.example.com/a/b/v1", "https://api.example.com", "/a/b/v1"),
        ] {
            let model = settings(url, "m", "k").unwrap().unwrap();
            assert_eq!((model.origin.as_str(), model.path.as_str()), (origin, path), "{url}");
            assert_eq!(model.variable("llm_tokens_per_day").unwrap(), "7");
        }
        assert_eq!(settings("", "", ""), Ok(None));
    }

    #[test]
    fn faults_name_the_setting() {
        for (url, model, key, setting) in [
            ("https://a.example", "", "", "LLM_MODEL"),
            ("", "m", "", "LLM_URL"),
            ("", "", "k", "LLM_URL"),
            ("a.example", "m", "", "LLM_URL"),
            ("ftp://a.example", "m", "", "LLM_URL"),
            ("https://u:p@a.example", "m", "", "LLM_URL"),
            ("https://a.example/?key=1", "m", "", "LLM_URL"),
            ("http://a.example/v1", "m", "", "LLM_URL"),
        ] {
            let error = settings(url, model, key).unwrap_err();
            assert!(error.contains(setting) && !error.contains("u:p"), "{error}");
        }
        assert!(settings("http://localhost:1/v1", "m", "k").is_ok());
    }
}
