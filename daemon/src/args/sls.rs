//! The verbs for sub-SLS that are split, merged or renamed.

use clap::Subcommand;
use rukun_change::SubSls;

/// What becomes of sub-SLS.
#[derive(Debug, Subcommand)]
pub enum Sls {
    /// One sub-SLS becomes several
    #[command(after_help = "\
Example:
  rukun sls split 1811010005000300 --into 1811010005000300 --into 1811010005001500 --name 'RT 003' --name 'RT 015'

The district alone can do it. Where the code is not among those that it becomes, no new family is taken
there any more; those that are there stay, and are moved one by one: rukun transfer RECORD --to CODE. Names
are given for none or for all, in the order of the codes.")]
    Split {
        /// The sub-SLS, all 16 digits
        #[arg(value_name = "CODE")]
        from: SubSls,
        /// What it becomes, all 16 digits; at least two, of which it may be one
        #[arg(long, required = true, value_name = "CODE")]
        into: Vec<SubSls>,
        /// What that one is called
        #[arg(long)]
        name: Vec<String>,
    },
    /// Several sub-SLS become one
    #[command(after_help = "\
Example:
  rukun sls merge 1811010005000300 1811010005000400 --into 1811010005000300

The district alone can do it. In those that are merged away no new family is taken any more; the ones that
are there stay, and are moved one by one: rukun transfer RECORD --to CODE.")]
    Merge {
        /// The sub-SLS, all 16 digits; at least two
        #[arg(required = true, num_args = 2.., value_name = "CODE")]
        from: Vec<SubSls>,
        /// What they become, all 16 digits; it may be one of them
        #[arg(long, value_name = "CODE")]
        into: SubSls,
        /// What that is called
        #[arg(long)]
        name: Option<String>,
    },
    /// A sub-SLS is called otherwise
    #[command(after_help = "\
Example:
  rukun sls rename 1811010005000300 --name 'RT 003 Way Puji'

The district alone can do it. The code stays, and so does everything in it.")]
    Rename {
        /// The sub-SLS, all 16 digits
        #[arg(value_name = "CODE")]
        code: SubSls,
        /// What it is called from now on
        #[arg(long)]
        name: String,
    },
    /// What became of which sub-SLS, the latest last, and who is still to be moved
    #[command(after_help = "\
Example:
  rukun sls list
  rukun sls list --json")]
    List,
}
