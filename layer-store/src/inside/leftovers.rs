//! Files that a build needed and the image does not: caches of package managers, repositories, temporary files.
//!
//! They are known by where they lie. A pattern with a slash in front stands at the root, any other one behind any
//! directory.

/// What kind of leftover a file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LeftoverKind {
    /// What it is: `apt's package lists`.
    pub name: &'static str,
    /// What keeps it out of an image.
    pub advice: &'static str,
}

const APT_LISTS: LeftoverKind = LeftoverKind {
    name: "apt's package lists",
    advice: "end the RUN that fetches them with `rm -rf /var/lib/apt/lists/*`, or mount a cache there: \
             `RUN --mount=type=cache,target=/var/lib/apt/lists …`",
};
const APT_ARCHIVES: LeftoverKind = LeftoverKind {
    name: "apt's cache",
    advice: "end the RUN with `apt-get clean`, or mount a cache: `RUN --mount=type=cache,target=/var/cache/apt …`",
};
const APK: LeftoverKind = LeftoverKind { name: "apk's cache", advice: "use `apk add --no-cache`" };
const DNF: LeftoverKind =
    LeftoverKind { name: "dnf's cache", advice: "end the RUN with `dnf clean all` (or `yum clean all`)" };
const ZYPPER: LeftoverKind =
    LeftoverKind { name: "zypper's cache", advice: "end the RUN with `zypper clean --all`" };
const PACMAN: LeftoverKind =
    LeftoverKind { name: "pacman's cache", advice: "end the RUN with `pacman -Scc --noconfirm`" };
const PIP: LeftoverKind = LeftoverKind {
    name: "pip's cache",
    advice: "use `pip install --no-cache-dir`, or mount a cache: `RUN --mount=type=cache,target=/root/.cache/pip …`",
};
const PYTHON: LeftoverKind = LeftoverKind {
    name: "a cache of a Python tool",
    advice: "mount a cache: `RUN --mount=type=cache,target=/root/.cache …`",
};
const NPM: LeftoverKind = LeftoverKind {
    name: "npm's cache",
    advice: "end the RUN with `npm cache clean --force`, or mount a cache: `RUN --mount=type=cache,target=/root/.npm …`",
};
const YARN: LeftoverKind = LeftoverKind {
    name: "yarn's cache",
    advice: "end the RUN with `yarn cache clean`, or mount a cache for it",
};
const PNPM: LeftoverKind = LeftoverKind {
    name: "pnpm's store",
    advice: "end the RUN with `pnpm store prune`, or mount a cache for it",
};
const CARGO: LeftoverKind = LeftoverKind {
    name: "cargo's registry",
    advice: "build in a stage of its own and copy the program, or mount a cache: \
             `RUN --mount=type=cache,target=/usr/local/cargo/registry …`",
};
const GO: LeftoverKind = LeftoverKind {
    name: "a cache of Go",
    advice: "build in a stage of its own and copy the program, or mount caches at /root/.cache/go-build and /go/pkg/mod",
};
const JAVA: LeftoverKind = LeftoverKind {
    name: "a cache of a Java build",
    advice: "build in a stage of its own and copy the archive, or mount a cache for it",
};
const OTHER: LeftoverKind = LeftoverKind {
    name: "a cache of a tool",
    advice: "remove it in the RUN that made it, or mount a cache for it",
};
const GIT: LeftoverKind = LeftoverKind {
    name: "a git repository",
    advice: "write `.git` into `.dockerignore`, or remove it in the RUN that cloned it",
};
const TEMPORARY: LeftoverKind =
    LeftoverKind { name: "temporary files", advice: "remove them in the RUN that made them" };
const LOGS: LeftoverKind =
    LeftoverKind { name: "logs of the build", advice: "remove them in the RUN that made them" };

const PATTERNS: &[(&str, LeftoverKind)] = &[
    ("/var/lib/apt/lists/", APT_LISTS),
    ("/var/cache/apt/", APT_ARCHIVES),
    ("/var/cache/apk/", APK),
    ("/etc/apk/cache/", APK),
    ("/var/cache/dnf/", DNF),
    ("/var/cache/yum/", DNF),
    ("/var/cache/libdnf5/", DNF),
    ("/var/cache/zypp/", ZYPPER),
    ("/var/cache/pacman/pkg/", PACMAN),
    (".cache/pip/", PIP),
    (".cache/uv/", PYTHON),
    (".cache/pypoetry/", PYTHON),
    (".cache/pipenv/", PYTHON),
    (".npm/_cacache/", NPM),
    (".cache/yarn/", YARN),
    (".yarn/berry/cache/", YARN),
    (".local/share/pnpm/store/", PNPM),
    (".cargo/registry/", CARGO),
    ("/usr/local/cargo/registry/", CARGO),
    (".cache/go-build/", GO),
    ("/go/pkg/mod/cache/", GO),
    (".gradle/caches/", JAVA),
    (".m2/repository/", JAVA),
    (".composer/cache/", OTHER),
    (".cache/composer/", OTHER),
    ("/usr/local/bundle/cache/", OTHER),
    (".ccache/", OTHER),
    (".cache/node-gyp/", OTHER),
    (".cache/bazel/", OTHER),
    (".git/", GIT),
    ("/tmp/", TEMPORARY),
    ("/var/tmp/", TEMPORARY),
    ("/var/log/", LOGS),
];

/// What kind of leftover the file at `path` is, and the length of the directory in `path` that can go; `None` for what
/// belongs there.
pub(super) fn leftover(path: &[u8]) -> Option<(LeftoverKind, usize)> {
    // Most paths have no name that begins with a dot, and only such patterns stand anywhere.
    let has_dot = path.first() == Some(&b'.') || path.windows(2).any(|pair| pair == b"/.");
    PATTERNS.iter().find_map(|(pattern, kind)| {
        let end = match pattern.strip_prefix('/') {
            Some(anchored) => path.starts_with(anchored.as_bytes()).then_some(anchored.len()),
            None if !has_dot => None,
            None => {
                let mut starts = (0..path.len()).filter(|at| *at == 0 || path[*at - 1] == b'/');
                let found = starts.find(|at| path[*at..].starts_with(pattern.as_bytes()));
                found.map(|at| at + pattern.len())
            }
        };
        end.map(|end| (*kind, end - 1))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn leftovers_are_known_by_where_they_lie() {
        for (path, expected) in [
            ("var/lib/apt/lists/deb.debian.org_x", Some(("apt's package lists", "var/lib/apt/lists"))),
            ("root/.cache/pip/http/a", Some(("pip's cache", "root/.cache/pip"))),
            ("home/u/.cache/pip/http/a", Some(("pip's cache", "home/u/.cache/pip"))),
            ("app/.git/HEAD", Some(("a git repository", "app/.git"))),
            (".git/HEAD", Some(("a git repository", ".git"))),
            ("app/x.git/HEAD", None),
            ("app/.gitignore", None),
            ("srv/var/lib/apt/lists/x", None),
            ("tmp/x", Some(("temporary files", "tmp"))),
            ("app/tmp/x", None),
            ("usr/bin/sh", None),
        ] {
            let found = leftover(path.as_bytes()).map(|(kind, end)| (kind.name, &path[..end]));
            assert_eq!(found, expected, "{path}");
        }
    }
}
