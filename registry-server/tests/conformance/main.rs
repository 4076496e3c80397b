//! What the official conformance suite of the distribution specification checks, told again as tests: every API in both
//! algorithms, every shape of data, at version 1.1 and at what the next version asks.
//!
//! The suite is `conformance/` of opencontainers/distribution-spec. What it checks is taken from there, how is ours. What
//! the suite counts as "not supported" and passes over fails here: ranges, mounts without a source, deletion.

#[path = "../support/mod.rs"]
mod support;

mod blobs;
mod content;
mod lists;
mod mistakes;
mod ranges;
mod shapes;

use tug_oci::Algorithm;

use support::{Answer, Registry};

/// A registry and the rules that it is held to.
struct Case {
    registry: Registry,
    rules: Rules,
    algorithm: Algorithm,
}

/// What differs between the versions.
#[derive(Clone, Copy)]
struct Rules {
    /// Every answer about content says its digest.
    digest_header: bool,
}

const VERSION_1_1: Rules = Rules { digest_header: false };
const NEXT_VERSION: Rules = Rules { digest_header: true };

impl Case {
    fn new(rules: Rules, algorithm: Algorithm) -> Self {
        Self { registry: Registry::start(), rules, algorithm }
    }

    /// An answer never says another digest than that of its content, and in the next version always says it.
    fn check_digest(&self, answer: &Answer, expected: &tug_oci::Digest) {
        match answer.header("docker-content-digest") {
            Some(said) => assert_eq!(said, expected.to_string()),
            None => assert!(!self.rules.digest_header, "the answer does not say the digest"),
        }
    }
}

/// Makes a test of each function for each version and algorithm.
macro_rules! checks {
    ($($function:ident)*) => {
        mod version_1_1_sha256 { $(#[test] fn $function() {
            super::$function(&crate::Case::new(crate::VERSION_1_1, tug_oci::Algorithm::Sha256));
        })* }
        mod version_1_1_sha512 { $(#[test] fn $function() {
            super::$function(&crate::Case::new(crate::VERSION_1_1, tug_oci::Algorithm::Sha512));
        })* }
        mod next_version_sha256 { $(#[test] fn $function() {
            super::$function(&crate::Case::new(crate::NEXT_VERSION, tug_oci::Algorithm::Sha256));
        })* }
        mod next_version_sha512 { $(#[test] fn $function() {
            super::$function(&crate::Case::new(crate::NEXT_VERSION, tug_oci::Algorithm::Sha512));
        })* }
    };
}
pub(crate) use checks;
