//! What single registries cannot do, known from their names or seen in their answers.
//!
//! | registry                   | what is different                                           | source                     |
//! | -------------------------- | ----------------------------------------------------------- | -------------------------- |
//! | ghcr.io                    | a piece (`PATCH` with `Content-Range`) of at most 4 MiB     | rust-oci-client #35, #37   |
//! | gcr.io, pkg.dev            | no pieces, and no status of a session                       | dotnet/sdk-container #287  |
//! | azurecr.io                 | a session is dead when a connection broke                   | azure-sdk-for-net #29738   |
//! | Amazon ECR                 | pieces of at least 5 MiB; 201 for the last one              | regclient, tart #159       |
//! | distribution 2.8           | a session is dead when a body broke off: seen by its 404    | observed                   |
//! | Quay                       | fails on a mount without `from`                             | observed                   |
//! | distribution, zot          | a mount without `from` is an ordinary session, or mounted   | their sources              |
//!
//! Everything else is learned: who refuses a piece gets none for as long as the client lives.

use crate::hosts::Address;

const MIB: u64 = 1 << 20;

/// How a host takes uploads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Quirks {
    /// Whether the rest of a blob can be sent into a session that has its beginning.
    pub(super) resumes: bool,
    /// The longest piece, where there is one.
    pub(super) largest_piece: Option<u64>,
    /// The shortest piece but for the last.
    pub(super) least_piece: u64,
    /// Whether a mount is asked for when no repository is known that has the blob.
    pub(super) finds_mounts: bool,
    /// Whether mounts are asked for at all.
    pub(super) mounts: bool,
    /// Whether a body may be sent without saying how long it is.
    pub(super) takes_unknown_length: bool,
}

impl Quirks {
    /// What is known from the name.
    pub(super) fn of(address: &Address) -> Self {
        let host = address.host.as_str();
        let is = |name: &str| host == name || host.strip_suffix(name).is_some_and(|rest| rest.ends_with('.'));
        let is_amazon =
            host.contains(".dkr.ecr") && (is("amazonaws.com") || is("amazonaws.com.cn") || is("on.aws"));
        Self {
            resumes: !(is("gcr.io") || is("pkg.dev") || is("azurecr.io")),
            largest_piece: is("ghcr.io").then_some(4 * MIB),
            least_piece: if is_amazon { 5 * MIB } else { 0 },
            // What runs on this machine is one of those that are known to cope.
            finds_mounts: address.is_loopback(),
            mounts: true,
            takes_unknown_length: true,
        }
    }

    /// How much of `left` bytes goes into the next piece, where the session wants at least `least` in each.
    pub(super) fn piece(&self, left: u64, least: Option<u64>) -> u64 {
        let least = self.least_piece.max(least.unwrap_or(0));
        self.largest_piece.map_or(left, |largest| left.min(largest.max(least)))
    }
}

/// The longest piece for a host that has refused a longer one.
pub(super) const SMALL_PIECE: u64 = 4 * MIB;

#[cfg(test)]
mod tests {
    use super::*;

    fn of(host: &str) -> Quirks {
        Quirks::of(&Address::parse(host).unwrap())
    }

    #[test]
    fn hosts_are_known_by_whole_names() {
        assert_eq!(of("ghcr.io").largest_piece, Some(4 * MIB));
        assert_eq!(of("notghcr.io").largest_piece, None);
        assert!(!of("gcr.io").resumes && !of("eu.gcr.io").resumes && !of("europe-docker.pkg.dev").resumes);
        assert!(
            !of("mine.azurecr.io").resumes && of("azurecr.io.example").resumes && of("docker.io").resumes
        );
        assert_eq!(of("1234.dkr.ecr.eu-west-1.amazonaws.com").least_piece, 5 * MIB);
        assert_eq!(of("s3.amazonaws.com").least_piece, 0);
        assert!(of("127.0.0.1:5000").finds_mounts && !of("quay.io").finds_mounts);
    }

    #[test]
    fn pieces_are_as_long_as_host_and_session_allow() {
        let mut quirks = of("registry.example");
        assert_eq!(quirks.piece(100, None), 100);
        quirks.largest_piece = Some(30);
        assert_eq!((quirks.piece(100, None), quirks.piece(20, None)), (30, 20));
        assert_eq!(quirks.piece(100, Some(40)), 40, "what the session says counts");
        quirks.least_piece = 50;
        assert_eq!((quirks.piece(100, Some(40)), quirks.piece(10, Some(40))), (50, 10));
    }
}
