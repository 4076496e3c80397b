//! Flags that scripts give out of habit, and that change nothing here.

/// Accepted without any effect, and therefore not in the help.
#[derive(Debug, clap::Args)]
pub(crate) struct NoEffectArguments {
    /// There are no containers to be left over
    #[arg(long, hide = true, num_args = 0..=1, require_equals = true, value_name = "BOOL")]
    rm: Option<Option<bool>>,
    /// There are no containers to be left over
    #[arg(long, hide = true)]
    force_rm: bool,
}
