//! What is changed about an image from outside of its Dockerfile.

/// Changes to what the Dockerfile and its base images say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ImageChanges {
    /// The image that the first stage starts from, in place of the one that the Dockerfile names.
    pub first_base: Option<String>,
    /// Variables that are set in the image, after everything that the Dockerfile says. RUN steps do not see them.
    pub env: Vec<(String, String)>,
    /// Variables that are not in the image.
    pub unset_env: Vec<String>,
    /// Labels that are not taken over from base images.
    pub unset_labels: Vec<String>,
    /// Whether no label at all is taken over from base images.
    pub no_inherited_labels: bool,
    /// Whether the image has no history.
    pub no_history: bool,
}
