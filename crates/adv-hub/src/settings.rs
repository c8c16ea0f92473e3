//! Where the hub and its cache are.

use super::HubError;
use std::ffi::OsString;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

/// Where the hub and its cache are, and whether the hub may be asked.
#[derive(Debug, Clone)]
pub struct HubSettings {
    /// The hub's address, without a final slash.
    pub endpoint: String,
    /// The cache: a folder with a folder for each repository.
    pub cache: PathBuf,
    /// Who asks.
    pub token: Option<Token>,
    /// Whether the hub may be asked.
    pub network: Network,
    /// How long to wait at most for a connection, an answer or the next bytes. A slow transfer may take as long as it needs.
    pub silence: Duration,
}

/// Whether the hub may be asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Network {
    /// It may.
    Allowed,
    /// Only the cache may.
    Forbidden,
}

/// A secret that says who asks. It is not shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(String);

impl Token {
    /// The token, blanks around it cut off; none of an empty text.
    pub fn new(text: &str) -> Option<Self> {
        let text = text.trim();
        (!text.is_empty()).then(|| Self(text.into()))
    }

    pub(crate) fn header(&self) -> String {
        format!("Bearer {}", self.0)
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(...)")
    }
}

impl HubSettings {
    /// As `huggingface_hub` finds them: `HF_ENDPOINT`; `HF_HUB_CACHE`, else the folder `hub` in `HF_HOME`, which is
    /// `~/.cache/huggingface` if not set; `HF_TOKEN`, else the file `HF_TOKEN_PATH`, else `token` in `HF_HOME`; `HF_HUB_OFFLINE`.
    ///
    /// Errors: neither `HF_HOME` nor `HF_HUB_CACHE` is set, and there is no home folder.
    pub fn from_env() -> Result<Self, HubError> {
        Self::from_variables(|name| std::env::var_os(name), std::env::home_dir())
    }

    /// The same, with variables from anywhere.
    pub(crate) fn from_variables(
        variable: impl Fn(&str) -> Option<OsString>,
        home: Option<PathBuf>,
    ) -> Result<Self, HubError> {
        let set = |name: &str| variable(name).filter(|value| !value.is_empty());
        let text = |name: &str| Some(set(name)?.to_string_lossy().into_owned());
        let folder = |name: &str| {
            let path = PathBuf::from(set(name)?);
            match (path.strip_prefix("~"), &home) {
                (Ok(below), Some(home)) => Some(home.join(below)),
                _ => Some(path),
            }
        };
        let caches = || folder("XDG_CACHE_HOME").or_else(|| Some(home.as_ref()?.join(".cache")));
        let hf_home = folder("HF_HOME").or_else(|| Some(caches()?.join("huggingface")));
        let cache = folder("HF_HUB_CACHE")
            .or_else(|| folder("HUGGINGFACE_HUB_CACHE"))
            .or_else(|| Some(hf_home.as_ref()?.join("hub")))
            .ok_or(HubError::NoHome)?;
        // Links in it are relative, and a run keeps no relative path.
        let cache = std::path::absolute(&cache).unwrap_or(cache);
        let file = folder("HF_TOKEN_PATH").or_else(|| Some(hf_home?.join("token")));
        let kept = || Token::new(&std::fs::read_to_string(file?).ok()?);
        let token = text("HF_TOKEN").or_else(|| text("HUGGING_FACE_HUB_TOKEN"));
        let is_true = |name: &str| {
            text(name).is_some_and(|text| {
                ["1", "ON", "YES", "TRUE"].contains(&text.trim().to_ascii_uppercase().as_str())
            })
        };
        let endpoint = text("HF_ENDPOINT").unwrap_or_else(|| "https://huggingface.co".into());
        Ok(Self {
            endpoint: endpoint.trim_end_matches('/').into(),
            cache,
            token: token.and_then(|text| Token::new(&text)).or_else(kept),
            network: if is_true("HF_HUB_OFFLINE") || is_true("TRANSFORMERS_OFFLINE") {
                Network::Forbidden
            } else {
                Network::Allowed
            },
            silence: Duration::from_secs(30),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    fn found(variables: &[(&str, &str)]) -> HubSettings {
        let value = |name: &str| variables.iter().find(|(known, _)| *known == name);
        let home = Some(PathBuf::from("/home/me"));
        HubSettings::from_variables(|name| Some(value(name)?.1.into()), home).expect("settings")
    }

    #[test]
    fn the_cache_is_where_huggingface_hub_has_it() {
        for (variables, cache) in [
            (&[][..], "/home/me/.cache/huggingface/hub"),
            (&[("XDG_CACHE_HOME", "/c")], "/c/huggingface/hub"),
            (&[("HF_HOME", "/h"), ("XDG_CACHE_HOME", "/c")], "/h/hub"),
            (&[("HF_HOME", "~/h")], "/home/me/h/hub"),
            (&[("HF_HOME", "")], "/home/me/.cache/huggingface/hub"),
            (&[("HF_HOME", "/h"), ("HF_HUB_CACHE", "/d")], "/d"),
        ] {
            assert_eq!(found(variables).cache, Path::new(cache), "{variables:?}");
        }
        let error = HubSettings::from_variables(|_| None, None).expect_err("no home");
        assert!(error.to_string().contains("HF_HOME"), "{error}");
    }

    #[test]
    fn endpoint_token_and_offline_mode() {
        let usual = found(&[]);
        assert_eq!(usual.endpoint, "https://huggingface.co");
        assert_eq!((usual.token, usual.network), (None, Network::Allowed));
        assert_eq!(found(&[("HF_ENDPOINT", "http://m/")]).endpoint, "http://m");
        for (text, network) in [
            ("1", Network::Forbidden),
            ("true", Network::Forbidden),
            ("0", Network::Allowed),
        ] {
            assert_eq!(found(&[("HF_HUB_OFFLINE", text)]).network, network, "{text}");
        }

        let folder = tempfile::TempDir::new().expect("a folder");
        std::fs::write(folder.path().join("token"), "kept\n").expect("written");
        let home = folder.path().to_str().expect("text");
        let token = found(&[("HF_HOME", home)]).token.expect("a token");
        assert_eq!(token.header(), "Bearer kept");
        let token = found(&[("HF_HOME", home), ("HF_TOKEN", " said ")])
            .token
            .expect("a token");
        assert_eq!(token.header(), "Bearer said");
        assert!(!format!("{token:?}").contains("said"));
    }
}
