//! Platforms: what an image runs on. Source: image-spec `image-index.md`, containerd's normalisation rules.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// An operating system and a processor that an image is for.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Platform {
    /// The processor in Go's spelling: `amd64`, `arm64`, `riscv64`.
    pub architecture: String,
    /// The operating system: `linux`.
    pub os: String,
    /// The version of the operating system; only Windows images have one.
    #[serde(rename = "os.version", default, skip_serializing_if = "Option::is_none")]
    pub os_version: Option<String>,
    /// Features that the operating system must have.
    #[serde(rename = "os.features", default, skip_serializing_if = "Vec::is_empty")]
    pub os_features: Vec<String>,
    /// The variant of the processor: `v7`, `v8`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub variant: Option<String>,
}

/// Why a text is not a platform.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is not a platform: expected `os/architecture` or `os/architecture/variant`, for example `linux/arm64`"
)]
pub struct PlatformError(String);

impl Platform {
    /// Linux on `architecture`, spelled in any of the usual ways.
    pub fn linux(architecture: &str) -> Self {
        Self::normalised("linux", architecture, None)
    }

    /// The platform that this program was built for.
    pub fn host() -> Self {
        Self::linux(std::env::consts::ARCH)
    }

    /// Whether an image made for `self` runs where `wanted` is asked for.
    ///
    /// `arm64` and `arm64/v8` are one; a variant asked for must match, a variant not asked for may be any.
    pub fn satisfies(&self, wanted: &Self) -> bool {
        let own = Self::normalised(&self.os, &self.architecture, self.variant.as_deref());
        let wanted = Self::normalised(&wanted.os, &wanted.architecture, wanted.variant.as_deref());
        own.os == wanted.os
            && own.architecture == wanted.architecture
            && (wanted.variant.is_none() || own.variant == wanted.variant)
    }

    /// How far an image made for `self` is from what `wanted` asks for, if it runs there: 0 is exactly that. An older variant
    /// of the processor does where there is no newer one: `linux/arm/v6` on `linux/arm/v7`, but not the other way.
    pub fn distance_to(&self, wanted: &Self) -> Option<u32> {
        let own = Self::normalised(&self.os, &self.architecture, self.variant.as_deref());
        let wanted = Self::normalised(&wanted.os, &wanted.architecture, wanted.variant.as_deref());
        if own.satisfies(&wanted) {
            return Some(u32::from(own.variant != wanted.variant));
        }
        if own.os != wanted.os || own.architecture != wanted.architecture {
            return None;
        }
        let generation = |platform: &Self| match (&platform.variant, platform.architecture.as_str()) {
            (Some(variant), _) => variant.strip_prefix('v')?.parse::<u32>().ok(),
            (None, "amd64") => Some(1),
            (None, "arm64") => Some(8),
            (None, _) => None,
        };
        let step = generation(&wanted)?.checked_sub(generation(&own)?)?;
        Some(step + 1)
    }

    fn normalised(os: &str, architecture: &str, variant: Option<&str>) -> Self {
        let (os, architecture) = (os.to_ascii_lowercase(), architecture.to_ascii_lowercase());
        let variant = variant.map(str::to_ascii_lowercase).filter(|text| !text.is_empty());
        let (architecture, variant) = match (architecture.as_str(), variant.as_deref()) {
            ("x86_64" | "x86-64" | "amd64", None | Some("v1")) => ("amd64", None),
            ("x86_64" | "x86-64" | "amd64", Some(other)) => ("amd64", Some(other)),
            ("i386" | "i486" | "i586" | "i686" | "x86" | "386", _) => ("386", None),
            ("aarch64" | "arm64", None | Some("8" | "v8")) => ("arm64", None),
            ("aarch64" | "arm64", Some(other)) => ("arm64", Some(other)),
            ("armhf", _) => ("arm", Some("v7")),
            ("armel", _) => ("arm", Some("v6")),
            ("arm", None | Some("7")) => ("arm", Some("v7")),
            ("arm", Some("5")) => ("arm", Some("v5")),
            ("arm", Some("6")) => ("arm", Some("v6")),
            ("powerpc64" | "ppc64", variant) => ("ppc64", variant),
            ("powerpc64le" | "ppc64le", variant) => ("ppc64le", variant),
            (other, variant) => (other, variant),
        };
        Self {
            architecture: architecture.to_owned(),
            os,
            os_version: None,
            os_features: Vec::new(),
            variant: variant.map(str::to_owned),
        }
    }
}

impl fmt::Display for Platform {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}/{}", self.os, self.architecture)?;
        match &self.variant {
            Some(variant) => write!(out, "/{variant}"),
            None => Ok(()),
        }
    }
}

/// The processors that Go knows, and so the tools of the field.
const ARCHITECTURES: [&str; 15] = [
    "386", "amd64", "arm", "arm64", "loong64", "mips", "mipsle", "mips64", "mips64le", "ppc64", "ppc64le",
    "riscv64", "s390x", "sparc64", "wasm",
];

impl FromStr for Platform {
    type Err = PlatformError;

    fn from_str(text: &str) -> Result<Self, PlatformError> {
        if text == "local" {
            return Ok(Self::host());
        }
        let well_formed = |part: &&str| {
            !part.is_empty()
                && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
        };
        let parts: Vec<&str> = text.split('/').collect();
        if !parts.iter().all(well_formed) {
            return Err(PlatformError(text.to_owned()));
        }
        match parts.as_slice() {
            [os] if os.eq_ignore_ascii_case("linux") => Ok(Self { os: "linux".to_owned(), ..Self::host() }),
            // As in docker, a processor alone is one of Linux.
            [architecture] => {
                let platform = Self::normalised("linux", architecture, None);
                let is_known = ARCHITECTURES.contains(&platform.architecture.as_str());
                is_known.then_some(platform).ok_or_else(|| PlatformError(text.to_owned()))
            }
            [os, architecture] => Ok(Self::normalised(os, architecture, None)),
            [os, architecture, variant] => Ok(Self::normalised(os, architecture, Some(variant))),
            _ => Err(PlatformError(text.to_owned())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_spellings_of_a_processor_are_the_same_platform() {
        for (text, expected) in [
            ("linux/x86_64", "linux/amd64"),
            ("linux/aarch64", "linux/arm64"),
            ("linux/arm64/v8", "linux/arm64"),
            ("linux/arm", "linux/arm/v7"),
            ("linux/armhf", "linux/arm/v7"),
            ("Linux/AMD64", "linux/amd64"),
            ("linux/i686", "linux/386"),
            ("arm64", "linux/arm64"),
            ("x86_64", "linux/amd64"),
            ("armhf", "linux/arm/v7"),
        ] {
            assert_eq!(text.parse::<Platform>().unwrap().to_string(), expected);
        }
    }

    #[test]
    fn malformed_platforms_are_refused() {
        for text in ["", "/", "linux/", "linux/amd64/v1/x", "a b/c", "windows", "amd65"] {
            assert!(text.parse::<Platform>().is_err(), "{text} was taken");
        }
    }

    #[test]
    fn an_older_variant_does_where_there_is_no_newer_one() {
        for (own, wanted, expected) in [
            ("linux/amd64", "linux/amd64", Some(0)),
            ("linux/arm64", "linux/arm64/v8", Some(0)),
            ("linux/amd64/v3", "linux/amd64", Some(1)),
            ("linux/arm/v6", "linux/arm/v7", Some(2)),
            ("linux/arm/v5", "linux/arm", Some(3)),
            ("linux/amd64", "linux/amd64/v3", Some(3)),
            ("linux/arm/v7", "linux/arm/v6", None),
            ("linux/arm64", "linux/arm/v7", None),
            ("windows/amd64", "linux/amd64", None),
        ] {
            let [own, other]: [Platform; 2] = [own, wanted].map(|text| text.parse().unwrap());
            assert_eq!(own.distance_to(&other), expected, "{own} for {other}");
        }
    }

    #[test]
    fn a_variant_that_was_not_asked_for_does_not_matter() {
        let v6: Platform = "linux/arm/v6".parse().unwrap();
        let v7: Platform = "linux/arm/v7".parse().unwrap();
        assert!(!v6.satisfies(&v7));
        assert!(Platform::linux("aarch64").satisfies(&"linux/arm64/v8".parse().unwrap()));
    }
}
