//! Where credentials come from, in the order of the usual tools: the environment, web identity, profile files, a
//! container's or an instance's metadata. What they are is never shown: not in an error, not by `Debug`.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use object_store::CredentialProvider;
use object_store::aws::{AmazonS3ConfigKey, AwsCredential, AwsCredentialProvider};

use super::attempt::current;
use super::ini;
use crate::error::{Code, Error, Result};

/// How long a lane uses credentials that may change before it asks for them again.
const KEEP: Duration = Duration::from_secs(60);

/// Variables that say where credentials are to be fetched, and what the client crate calls them.
const FETCHED: [(&str, AmazonS3ConfigKey); 7] = [
    ("AWS_WEB_IDENTITY_TOKEN_FILE", AmazonS3ConfigKey::WebIdentityTokenFile),
    ("AWS_ROLE_ARN", AmazonS3ConfigKey::RoleArn),
    ("AWS_ROLE_SESSION_NAME", AmazonS3ConfigKey::RoleSessionName),
    ("AWS_ENDPOINT_URL_STS", AmazonS3ConfigKey::StsEndpoint),
    ("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", AmazonS3ConfigKey::ContainerCredentialsRelativeUri),
    ("AWS_CONTAINER_CREDENTIALS_FULL_URI", AmazonS3ConfigKey::ContainerCredentialsFullUri),
    ("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", AmazonS3ConfigKey::ContainerAuthorizationTokenFile),
];

/// What is read of the process's surroundings; a test gives its own.
pub(super) struct Surroundings<'a> {
    /// A variable of the environment.
    pub(super) variable: &'a dyn Fn(&str) -> Option<String>,
    /// A file's text.
    pub(super) file: &'a dyn Fn(&Path) -> Option<String>,
}

/// Those of this process.
pub(super) const PROCESS: Surroundings<'static> = Surroundings {
    variable: &|name| std::env::var(name).ok().filter(|value| !value.is_empty()),
    file: &|path| std::fs::read_to_string(path).ok(),
};

/// What was found.
pub(super) enum Found {
    /// Keys that do not change.
    Keys(AwsCredential),
    /// Settings with which the client crate fetches them, and fetches new ones before they expire.
    Fetch(Vec<(AmazonS3ConfigKey, String)>),
}

fn none(why: &str) -> Error {
    Error::new(
        Code::AccessDenied,
        format!("there are no credentials for S3: {why}"),
        "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE, for the agents",
    )
}

impl Surroundings<'_> {
    fn get(&self, name: &str) -> Option<String> {
        (self.variable)(name)
    }

    fn profile(&self) -> String {
        self.get("AWS_PROFILE").unwrap_or_else(|| "default".into())
    }

    /// The files of profiles, the one of secrets first.
    fn profile_files(&self) -> Vec<String> {
        let home = self.get("HOME").map(PathBuf::from);
        [("AWS_SHARED_CREDENTIALS_FILE", "credentials"), ("AWS_CONFIG_FILE", "config")]
            .into_iter()
            .filter_map(|(variable, name)| {
                let path = self.get(variable).map(PathBuf::from);
                let path = path.or_else(|| home.as_ref().map(|home| home.join(".aws").join(name)))?;
                (self.file)(&path)
            })
            .collect()
    }

    /// The region of the signature.
    pub(super) fn region(&self) -> String {
        let from_profile = || {
            let profile = self.profile();
            self.profile_files().iter().find_map(|text| ini::value(text, &profile, "region").map(str::to_owned))
        };
        let from_environment = || self.get("AWS_REGION").or_else(|| self.get("AWS_DEFAULT_REGION"));
        from_environment().or_else(from_profile).unwrap_or_else(|| "us-east-1".into())
    }

    /// Credentials, or the way to them.
    ///
    /// # Errors
    /// [`Code::AccessDenied`] when there are none.
    pub(super) fn credentials(&self) -> Result<Found> {
        match (self.get("AWS_ACCESS_KEY_ID"), self.get("AWS_SECRET_ACCESS_KEY")) {
            (Some(key_id), Some(secret_key)) => {
                return Ok(Found::Keys(AwsCredential { key_id, secret_key, token: self.get("AWS_SESSION_TOKEN") }));
            }
            (Some(_), None) => return Err(none("AWS_ACCESS_KEY_ID is set and AWS_SECRET_ACCESS_KEY is not")),
            (None, Some(_)) => return Err(none("AWS_SECRET_ACCESS_KEY is set and AWS_ACCESS_KEY_ID is not")),
            (None, None) => {}
        }
        let web_identity = self.get("AWS_WEB_IDENTITY_TOKEN_FILE").is_some() && self.get("AWS_ROLE_ARN").is_some();
        if !web_identity && let Some(keys) = self.profile_keys()? {
            return Ok(Found::Keys(keys));
        }
        let settings: Vec<_> =
            FETCHED.into_iter().filter_map(|(name, key)| self.get(name).map(|value| (key, value))).collect();
        let container = self.get("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI").is_some()
            || self.get("AWS_CONTAINER_CREDENTIALS_FULL_URI").is_some();
        let no_instance = self.get("AWS_EC2_METADATA_DISABLED").is_some_and(|value| value.eq_ignore_ascii_case("true"));
        if no_instance && !web_identity && !container {
            return Err(none("neither the environment nor a profile has any, and AWS_EC2_METADATA_DISABLED is set"));
        }
        Ok(Found::Fetch(settings))
    }

    fn profile_keys(&self) -> Result<Option<AwsCredential>> {
        let (profile, files) = (self.profile(), self.profile_files());
        let value = |key| files.iter().find_map(|text| ini::value(text, &profile, key).map(str::to_owned));
        if let (Some(key_id), Some(secret_key)) = (value("aws_access_key_id"), value("aws_secret_access_key")) {
            return Ok(Some(AwsCredential { key_id, secret_key, token: value("aws_session_token") }));
        }
        for key in ["role_arn", "credential_process", "sso_session", "sso_start_url"] {
            if value(key).is_some() {
                let why = format!("the profile {profile:?} gets them by {key}, which is not supported");
                return Err(none(&format!("{why}; `aws configure export-credentials` turns them into keys")));
            }
        }
        if self.get("AWS_PROFILE").is_some() {
            return Err(none(&format!("no file has keys of the profile {profile:?}")));
        }
        Ok(None)
    }
}

/// A lane's own view of credentials that all lanes share: asked for anew now and then, not for each request.
#[derive(Debug)]
pub(super) struct LaneCredentials {
    shared: AwsCredentialProvider,
    kept: Mutex<Option<(Instant, Arc<AwsCredential>)>>,
}

impl LaneCredentials {
    pub(super) fn new(shared: AwsCredentialProvider) -> Self {
        Self { shared, kept: Mutex::default() }
    }
}

#[async_trait]
impl CredentialProvider for LaneCredentials {
    type Credential = AwsCredential;

    async fn get_credential(&self) -> object_store::Result<Arc<AwsCredential>> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some((since, credential)) = kept
            && since.elapsed() < KEEP
        {
            return Ok(credential);
        }
        let fetched = self.shared.get_credential().await.inspect_err(|error| {
            let why = format!("neither the environment nor a profile has any, and to fetch them failed: {error}");
            current(|attempt| attempt.bare.replace(Some(none(&why))));
        });
        let credential = fetched?;
        *self.kept.lock().unwrap_or_else(PoisonError::into_inner) = Some((Instant::now(), Arc::clone(&credential)));
        Ok(credential)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CREDENTIALS: &str = "[default]\naws_access_key_id = D\naws_secret_access_key = DS\n[qa]\n\
                               aws_access_key_id = Q\naws_secret_access_key = QS\naws_session_token = QT\n";
    const CONFIG: &str = "[profile qa]\nregion = eu-west-1\n[profile role]\nrole_arn = arn:x\n";

    fn found(variables: &[(&str, &str)]) -> Result<Found> {
        with(variables, |surroundings| surroundings.credentials())
    }

    fn with<T>(variables: &[(&str, &str)], look: impl FnOnce(&Surroundings<'_>) -> T) -> T {
        let variable = |name: &str| {
            let given = variables.iter().find(|(given, _)| *given == name);
            given.map(|(_, value)| (*value).to_owned())
        };
        let file = |path: &Path| match path.to_str() {
            Some("/home/u/.aws/credentials" | "/elsewhere") => Some(CREDENTIALS.to_owned()),
            Some("/home/u/.aws/config") => Some(CONFIG.to_owned()),
            _ => None,
        };
        look(&Surroundings { variable: &variable, file: &file })
    }

    fn key_id(variables: &[(&str, &str)]) -> String {
        match found(variables).unwrap() {
            Found::Keys(keys) => keys.key_id,
            Found::Fetch(settings) => format!("fetch by {}", settings.len()),
        }
    }

    const HOME: (&str, &str) = ("HOME", "/home/u");

    #[test]
    fn the_environment_comes_before_profiles_and_those_before_what_must_be_fetched() {
        let keys = [("AWS_ACCESS_KEY_ID", "E"), ("AWS_SECRET_ACCESS_KEY", "ES")];
        assert_eq!(key_id(&[keys[0], keys[1], HOME, ("AWS_PROFILE", "qa")]), "E");
        assert_eq!(key_id(&[HOME]), "D");
        assert_eq!(key_id(&[HOME, ("AWS_PROFILE", "qa")]), "Q");
        assert_eq!(key_id(&[("AWS_SHARED_CREDENTIALS_FILE", "/elsewhere")]), "D");
        let web = [("AWS_WEB_IDENTITY_TOKEN_FILE", "/t"), ("AWS_ROLE_ARN", "arn:x")];
        assert_eq!(key_id(&[HOME, web[0], web[1]]), "fetch by 2");
        assert_eq!(key_id(&[]), "fetch by 0");
    }

    #[test]
    fn credentials_that_cannot_be_had_are_an_error_that_says_which() {
        let why = |variables: &[(&str, &str)]| match found(variables) {
            Err(error) if error.code == Code::AccessDenied => error.what,
            _ => panic!("credentials were found for {variables:?}"),
        };
        assert!(why(&[("AWS_ACCESS_KEY_ID", "E")]).contains("AWS_SECRET_ACCESS_KEY is not"));
        assert!(why(&[("AWS_EC2_METADATA_DISABLED", "true")]).contains("AWS_EC2_METADATA_DISABLED"));
        assert!(why(&[HOME, ("AWS_PROFILE", "role")]).contains("role_arn"));
        assert!(why(&[HOME, ("AWS_PROFILE", "absent")]).contains("\"absent\""));
    }

    #[test]
    fn the_region_is_that_of_the_environment_else_of_the_profile() {
        let region = |variables: &[(&str, &str)]| with(variables, |surroundings| surroundings.region());
        assert_eq!(region(&[("AWS_REGION", "a"), ("AWS_DEFAULT_REGION", "b"), HOME]), "a");
        assert_eq!(region(&[("AWS_DEFAULT_REGION", "b"), HOME, ("AWS_PROFILE", "qa")]), "b");
        assert_eq!(region(&[HOME, ("AWS_PROFILE", "qa")]), "eu-west-1");
        assert_eq!(region(&[]), "us-east-1");
    }
}
