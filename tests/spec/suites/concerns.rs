use super::{Case, unclaimed};
use crate::discovery::SpecFile;

pub(crate) fn cases(file: &SpecFile) -> Vec<Case> {
    unclaimed(file)
}
