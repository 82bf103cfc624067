//! The files of profiles that AWS tools share: `[name]` or `[profile name]`, then `key = value` lines. Only what is
//! asked for is taken from them, and nothing of them is ever shown.

/// The value of a key in a profile.
pub(super) fn value<'a>(text: &'a str, profile: &str, key: &str) -> Option<&'a str> {
    let mut inside = false;
    let mut found = None;
    for line in text.lines() {
        if let Some(section) = line.trim().strip_prefix('[') {
            let section = section.split(']').next().unwrap_or_default().trim();
            let name = section.strip_prefix("profile ").map_or(section, str::trim);
            inside = name == profile;
        } else if inside
            && !line.starts_with([' ', '\t', '#', ';'])
            && let Some((name, value)) = line.split_once('=')
            && name.trim() == key
        {
            // Of a key that stands there twice the last one counts, as with the other tools.
            found = Some(value.trim());
        }
    }
    found.filter(|value| !value.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "[default]\naws_access_key_id=A\naws_secret_access_key = S=+/\n\n# [other]\n[profile qa ]\n\
                        region = eu-west-1\ns3 =\n  region = nested\nempty =\n[ops]\naws_access_key_id = B\n";

    #[test]
    fn values_are_those_of_the_named_profile_and_of_no_other() {
        assert_eq!(value(FILE, "default", "aws_access_key_id"), Some("A"));
        assert_eq!(value(FILE, "default", "aws_secret_access_key"), Some("S=+/"));
        assert_eq!(value(FILE, "qa", "region"), Some("eu-west-1"));
        assert_eq!(value(FILE, "qa", "empty"), None);
        assert_eq!(value(FILE, "ops", "aws_access_key_id"), Some("B"));
        assert_eq!(value(FILE, "ops", "aws_secret_access_key"), None);
        assert_eq!(value(FILE, "other", "aws_access_key_id"), None);
    }
}
