//! One value out of flag, environment, file and default, with where it came from.

use std::path::PathBuf;

use super::{ConfigError, FileTls, Flags, Setting, Source, Tls};

/// What values are picked from beside flags.
pub(super) struct Layers<'a> {
    pub(super) env: &'a dyn Fn(&str) -> Option<String>,
    pub(super) path: Option<PathBuf>,
}

impl Layers<'_> {
    pub(super) fn pick(
        &self,
        variable: &'static str,
        flag: Option<String>,
        file: Option<String>,
        default: impl FnOnce() -> String,
    ) -> Setting<String> {
        let found = |value, source| Setting { value, source };
        if let Some(value) = flag {
            found(value, Source::Flag)
        } else if let Some(value) = (self.env)(variable) {
            found(value, Source::Environment(variable))
        } else if let Some(value) = file {
            found(value, self.file())
        } else {
            found(default(), Source::Default)
        }
    }

    /// A file that need not be named.
    pub(super) fn optional(&self, variable: &'static str, file: Option<PathBuf>) -> Setting<Option<PathBuf>> {
        match ((self.env)(variable), file) {
            (Some(value), _) => {
                let value = (!value.is_empty()).then(|| value.into());
                Setting { value, source: Source::Environment(variable) }
            }
            (None, Some(value)) => Setting { value: Some(value), source: self.file() },
            (None, None) => Setting { value: None, source: Source::Default },
        }
    }

    pub(super) fn tls(&self, flags: &Flags, file: Option<FileTls>) -> Result<Setting<Tls>, ConfigError> {
        let rule = "`self-signed`, or a certificate and its key together";
        let refuse = |source_of| Err(ConfigError::Value { key: "tls", source_of, rule });
        let found = |value, source| Ok(Setting { value, source });
        match (flags.tls_cert.clone(), flags.tls_key.clone()) {
            (Some(cert), Some(key)) => return found(Tls::Files { cert, key }, Source::Flag),
            (None, None) => {}
            _ => return refuse(Source::Flag),
        }
        match ((self.env)("CUSTOS_TLS_CERT"), (self.env)("CUSTOS_TLS_KEY")) {
            (Some(cert), Some(key)) => {
                let tls = Tls::Files { cert: cert.into(), key: key.into() };
                return found(tls, Source::Environment("CUSTOS_TLS_CERT"));
            }
            (None, None) => {}
            _ => return refuse(Source::Environment("CUSTOS_TLS_CERT, CUSTOS_TLS_KEY")),
        }
        match ((self.env)("CUSTOS_TLS").as_deref(), file) {
            (Some("self-signed"), _) => found(Tls::SelfSigned, Source::Environment("CUSTOS_TLS")),
            (Some(_), _) => refuse(Source::Environment("CUSTOS_TLS")),
            (None, Some(FileTls::Files { cert, key })) => found(Tls::Files { cert, key }, self.file()),
            (None, Some(FileTls::Word(word))) if word == "self-signed" => found(Tls::SelfSigned, self.file()),
            (None, Some(FileTls::Word(_))) => refuse(self.file()),
            (None, None) => found(Tls::SelfSigned, Source::Default),
        }
    }

    pub(super) fn file(&self) -> Source {
        Source::File(self.path.clone().unwrap_or_default())
    }
}

impl Setting<String> {
    pub(super) fn parse<T>(
        self,
        key: &'static str,
        rule: &'static str,
        read: impl FnOnce(&str) -> Option<T>,
    ) -> Result<Setting<T>, ConfigError> {
        match read(&self.value) {
            Some(value) => Ok(Setting { value, source: self.source }),
            None => Err(ConfigError::Value { key, source_of: self.source, rule }),
        }
    }
}
