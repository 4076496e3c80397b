//! Decides whether a step has been built before.
//!
//! A step's key is a hash over everything that can change its result, and over nothing else:
//!
//! | input                                   | RUN | COPY / ADD  | WORKDIR | why                                            |
//! | --------------------------------------- | --- | ----------- | ------- | ---------------------------------------------- |
//! | layers below, as content (diff ids)     | yes | yes         | yes     | a step sees the files below it, not how they came |
//! | the same under `--link`                 | –   | no          | –       | unless `--chown` has names, which are looked up there |
//! | platform                                | yes | yes         | yes     | programs differ                                |
//! | `SOURCE_DATE_EPOCH`                     | yes | yes         | yes     | it is written into the layer                   |
//! | command, shell, text of a script        | yes | –           | –       | what is executed                               |
//! | environment, declared ARGs              | yes | –           | –       | programs read them                             |
//! | working directory, user, network        | yes | –           | –       | programs see them                              |
//! | `--security=insecure`, names of devices | yes | –           | –       | programs can do more, and see them             |
//! | hosts by name, volumes, `/dev/shm`, ulimits, capabilities, if asked for | yes | – | – | programs can notice them |
//! | addresses of hosts, name servers, limits through control groups | no | –  | –       | how a result is reached is not the result      |
//! | host name, if it was chosen             | yes | –           | –       | programs see it                                |
//! | mounts: type, target, owner, mode, size | yes | –           | –       | programs see them                              |
//! | mounts: the files that are shown, but for their times | yes | –   | –       | only the selected path, not what lies beside it |
//! | mounts: what is in a cache, its id, how it is shared | no | –    | –       | a step must come to the same without it        |
//! | mounts: ids of secrets and agents       | yes | –           | –       | another secret may give another result         |
//! | mounts: values of secrets               | no  | –           | –       | nothing of them may be written down            |
//! | destination, owner, mode, `--link`, `--parents`, unpack | – | yes | –     | where and how things land                      |
//! | sources: paths after links and wildcards | –  | yes         | –       | `./a`, `a` and `a*` may be the same            |
//! | what lands: paths, types, content, links | –  | yes         | –       | it is in the layer                             |
//! | … modes                                 | –   | but octal `--chmod` | – | as they are: a hit must give the bytes that a miss would |
//! | … owners                                | –   | `--from` without `--chown` | – | files of a context become `0:0`          |
//! | … attributes                            | –   | `--from`    | –       | those of a context are not copied              |
//! | … modification times                    | –   | no          | –       | a fresh clone must hit the cache               |
//! | text of here-documents                  | –   | yes         | –       | it is in the layer                             |
//! | directory and user                      | –   | –           | yes     | what is made, and whose it is                  |
//! | proxy variables that no ARG declares    | no  | –           | –       | how the network is reached is not the result   |
//!
//! A network download inside RUN is *not* seen: the key cannot know that the remote file changed.
//!
//! A step that reads the layers of other stages is known by a second, *quick* key as well, which has the digests of these
//! layers in place of what lands: see `execute/quick.rs`.
//!
//! The inputs are kept with names and values, so that a miss can be explained: the newest record of the same place in
//! the same build is compared with the present inputs; see [`crate::difference`].

use serde::{Deserialize, Serialize};
use tug_oci::{Digest, Hasher};

/// One thing that a key is made of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Input {
    /// What it is, as explanations call it: `instruction`, `ENV PATH`, `src/main.rs`.
    pub name: String,
    /// Its value or the digest of its value.
    pub value: String,
    /// How a change of it is told.
    pub told: Told,
}

/// How a changed input is put into words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Told {
    /// `ARG VERSION 1 → 2`.
    Values,
    /// `src/main.rs changed`.
    Name,
}

/// The inputs of a key, in the making.
#[derive(Clone, Debug, Default)]
pub(crate) struct Inputs(Vec<Input>);

impl Inputs {
    /// Adds an input whose values are told when it changes.
    pub(crate) fn value(&mut self, name: impl Into<String>, value: impl Into<String>) {
        self.0.push(Input { name: name.into(), value: value.into(), told: Told::Values });
    }

    /// Adds an input of which only the name is told when it changes.
    pub(crate) fn content(&mut self, name: impl Into<String>, value: impl Into<String>) {
        self.0.push(Input { name: name.into(), value: value.into(), told: Told::Name });
    }

    /// The key. Every part is hashed with its length, so that no two lists of inputs look alike.
    pub(crate) fn key(&self) -> Digest {
        let mut hasher = Hasher::sha256();
        hasher.update(b"tug step 1\n");
        for input in &self.0 {
            for part in [&input.name, &input.value] {
                hasher.update(&(part.len() as u64).to_le_bytes());
                hasher.update(part.as_bytes());
            }
        }
        hasher.finish()
    }

    /// The list itself, to be kept.
    pub(crate) fn into_list(self) -> Vec<Input> {
        self.0
    }

    /// The inputs, in order.
    pub(crate) fn list(&self) -> &[Input] {
        &self.0
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A name with a dot is that of a file.
    pub(crate) fn inputs(list: &[(&str, &str)]) -> Inputs {
        let mut inputs = Inputs::default();
        for (name, value) in list {
            if name.contains('.') { inputs.content(*name, *value) } else { inputs.value(*name, *value) }
        }
        inputs
    }

    #[test]
    fn every_part_of_every_input_changes_the_key() {
        let base = inputs(&[("ARG A", "1"), ("main.rs", "x")]);
        for other in [
            inputs(&[("ARG A", "2"), ("main.rs", "x")]),
            inputs(&[("ARG B", "1"), ("main.rs", "x")]),
            inputs(&[("ARG A", "1"), ("main.rs", "y")]),
            inputs(&[("ARG A", "1")]),
            inputs(&[("main.rs", "x"), ("ARG A", "1")]),
        ] {
            assert_ne!(base.key(), other.key());
        }
    }

    #[test]
    fn moving_a_byte_from_one_part_to_the_next_changes_the_key() {
        assert_ne!(inputs(&[("ab", "c")]).key(), inputs(&[("a", "bc")]).key());
        assert_ne!(inputs(&[("a", "b"), ("c", "d")]).key(), inputs(&[("a", "bc"), ("", "d")]).key());
    }
}
