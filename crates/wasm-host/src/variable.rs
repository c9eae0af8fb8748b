//! Variables of an application, and the templates (`{{ name }}`) that pass them to components.

use std::collections::BTreeMap;

use crate::manifest::Variable;

/// Prefix of variables for Spin's environment provider.
pub const ENVIRONMENT_PREFIX: &str = "SPIN_VARIABLE_";

/// Why a variable has no usable value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum VariableError {
    #[error("variable {name} has no value: set {ENVIRONMENT_PREFIX}{upper}", upper = name.to_uppercase())]
    Missing { name: String },
    #[error("{ENVIRONMENT_PREFIX}{upper}: {reason}", upper = name.to_uppercase())]
    Refused { name: String, reason: String },
    #[error("template {template:?} names {name}, which is no variable of the application")]
    Unknown { template: String, name: String },
    #[error("template {template:?} has an opening {{{{ without its end")]
    Unclosed { template: String },
}

/// Values of an application's variables.
#[derive(Clone)]
pub struct Values(BTreeMap<String, String>);

impl Values {
    /// Takes each variable's value from `provider`, otherwise its default.
    ///
    /// # Errors
    /// [`VariableError::Missing`] for a required one without a value.
    pub fn resolve(
        variables: &BTreeMap<String, Variable>,
        provider: impl Fn(&str) -> Option<String>,
    ) -> Result<Self, VariableError> {
        let mut values = BTreeMap::new();
        for (name, variable) in variables {
            let value = provider(name)
                .or_else(|| variable.default.clone())
                .ok_or_else(|| VariableError::Missing { name: name.clone() })?;
            values.insert(name.clone(), value);
        }
        Ok(Self(values))
    }

    /// The value of a variable; none if there is no such variable.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// Every variable with its value.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (&**name, &**value))
    }

    /// A variable's value in Spin's environment provider.
    #[must_use]
    pub fn from_environment(name: &str) -> Option<String> {
        std::env::var(format!("{ENVIRONMENT_PREFIX}{}", name.to_uppercase())).ok()
    }

    /// Fills a template.
    ///
    /// # Errors
    /// If it names an unknown variable or is malformed.
    pub fn fill(&self, template: &str) -> Result<String, VariableError> {
        let mut filled = String::new();
        let mut rest = template;
        while let Some((before, after)) = rest.split_once("{{") {
            let (name, after) = after
                .split_once("}}")
                .ok_or_else(|| VariableError::Unclosed { template: template.to_owned() })?;
            let name = name.trim();
            let value = self.0.get(name).ok_or_else(|| VariableError::Unknown {
                template: template.to_owned(),
                name: name.to_owned(),
            })?;
            filled.push_str(before);
            filled.push_str(value);
            rest = after;
        }
        filled.push_str(rest);
        Ok(filled)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn templates_are_filled_from_provider_and_defaults() {
        let variable = |default: Option<&str>| Variable {
            description: String::new(),
            default: default.map(str::to_owned),
            required: default.is_none(),
            secret: false,
        };
        let variables = BTreeMap::from([
            ("a".to_owned(), variable(Some("1"))),
            ("b".to_owned(), variable(None)),
        ]);
        let missing = Values::resolve(&variables, |_| None).err();
        assert_eq!(missing, Some(VariableError::Missing { name: "b".to_owned() }));
        let values =
            Values::resolve(&variables, |name| (name == "b").then(|| "{{ a }}".to_owned()))
                .unwrap();
        let fill = |template| values.fill(template);
        assert_eq!(fill("x{{a}}y{{ b }}").unwrap(), "x1y{{ a }}", "a value is not a template");
        assert!(matches!(fill("{{ c }}"), Err(VariableError::Unknown { .. })));
        assert!(matches!(fill("{{ a"), Err(VariableError::Unclosed { .. })));
    }
}
