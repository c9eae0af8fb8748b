//! The findings of an examination.

use serde::Serialize;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    Ok,
    /// It works now, but may not for long.
    Warning,
    /// Something does not work.
    Wrong,
}

#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    pub check: &'static str,
    pub verdict: Verdict,
    pub finding: String,
    /// What to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub advice: Option<String>,
}

#[derive(Debug, Default)]
pub struct Report {
    findings: Vec<Finding>,
}

impl Report {
    pub fn ok(&mut self, check: &'static str, finding: impl Into<String>) {
        self.add(check, Verdict::Ok, finding.into(), None);
    }

    pub fn warning(
        &mut self,
        check: &'static str,
        finding: impl Into<String>,
        advice: impl Into<String>,
    ) {
        self.add(check, Verdict::Warning, finding.into(), Some(advice.into()));
    }

    pub fn wrong(
        &mut self,
        check: &'static str,
        finding: impl Into<String>,
        advice: impl Into<String>,
    ) {
        self.add(check, Verdict::Wrong, finding.into(), Some(advice.into()));
    }

    /// Adds a finding for an unusable setting, whose message says what to do.
    pub fn setting<T>(&mut self, setting: Result<T, impl ToString>) -> Option<T> {
        setting.map_err(|error| self.add("settings", Verdict::Wrong, error.to_string(), None)).ok()
    }

    #[must_use]
    pub fn count(&self, verdict: Verdict) -> usize {
        self.findings.iter().filter(|finding| finding.verdict == verdict).count()
    }

    /// One line per finding.
    #[must_use]
    pub fn to_text(&self) -> String {
        let line = |finding: &Finding| {
            let verdict = match finding.verdict {
                Verdict::Ok => "ok",
                Verdict::Warning => "warning",
                Verdict::Wrong => "WRONG",
            };
            let advice = finding.advice.as_deref().map(|advice| format!(": {advice}"));
            let (check, advice) = (finding.check, advice.unwrap_or_default());
            format!("{verdict:<8} {check:<12} {}{advice}\n", finding.finding)
        };
        self.findings.iter().map(line).collect()
    }

    /// An array of findings.
    #[must_use]
    pub fn to_json(&self) -> String {
        // Strings can always be serialised.
        serde_json::to_string_pretty(&self.findings).unwrap_or_default()
    }

    fn add(
        &mut self,
        check: &'static str,
        verdict: Verdict,
        finding: String,
        advice: Option<String>,
    ) {
        // Messages of others may contain line breaks.
        let one_line = |text: String| text.split_whitespace().collect::<Vec<_>>().join(" ");
        let (finding, advice) = (one_line(finding), advice.map(one_line));
        self.findings.push(Finding { check, verdict, finding, advice });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_finding_is_a_line_with_its_advice() {
        let mut report = Report::default();
        report.ok("database", "PostgreSQL 18");
        report.warning("outbox", "one\n  two", "look");
        report.wrong("mail", "no answer", "start it");
        let text = "ok       database     PostgreSQL 18\n\
                    warning  outbox       one two: look\n\
                    WRONG    mail         no answer: start it\n";
        assert_eq!(report.to_text(), text);
        assert_eq!((report.count(Verdict::Wrong), report.count(Verdict::Warning)), (1, 1));
        let json: serde_json::Value = serde_json::from_str(&report.to_json()).unwrap();
        let expected = serde_json::json!(
            {"check": "mail", "verdict": "wrong", "finding": "no answer", "advice": "start it"}
        );
        assert_eq!(json[2], expected);
    }
}
