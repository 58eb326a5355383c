//! Checksums of a mirror, for other programs.

use crate::{engine::Engine, error::Error, ids::PlanId};

/// Files that are told together.
const TOGETHER: u32 = 1_000;

/// Some lines of a list of checksums.
#[derive(Clone, Debug)]
pub struct Checksums {
    /// As `sha256sum` writes them, without the line feed.
    pub lines: Vec<String>,
    /// Where the next ones begin; `None` at the end.
    pub next: Option<i64>,
}

impl Engine {
    /// The checksums of the files of a mirror as `sha256sum -c` reads them in its folder, from the ledger: some, from the beginning or
    /// from where others ended.
    ///
    /// # Errors
    /// When there is no such plan, or it keeps no mirror.
    pub async fn checksums(&self, plan: &str, from: Option<i64>) -> Result<Checksums, Error> {
        self.checksums_by_id(self.plan_row(plan).await?.id, from).await
    }

    /// As [`checksums`](Engine::checksums), for the plan with this id.
    ///
    /// # Errors
    /// As for that.
    pub async fn checksums_by_id(&self, plan: PlanId, from: Option<i64>) -> Result<Checksums, Error> {
        let row = self.mirrored_plan(plan).await?;
        let kept = self.store.kept(row.id, row.storage_id, from.unwrap_or_default(), TOGETHER).await?;
        let next = kept.last().map(|last| last.asset_id);
        let lines = kept.iter().map(|kept| line(&kept.sha256.to_string(), &kept.path)).collect();
        Ok(Checksums { lines, next })
    }
}

/// One line; a name with a backslash or a line feed is escaped, and the line begins with a backslash then.
fn line(sum: &str, path: &str) -> String {
    if path.contains(['\\', '\n', '\r']) {
        let path = path.replace('\\', r"\\").replace('\n', r"\n").replace('\r', r"\r");
        return format!(r"\{sum}  {path}");
    }
    format!("{sum}  {path}")
}

#[cfg(test)]
mod tests {
    use super::line;

    #[test]
    fn names_are_escaped_as_sha256sum_does() {
        assert_eq!(line("ab", "photos/a b.jpg"), "ab  photos/a b.jpg");
        assert_eq!(line("ab", "a\\b\n.jpg"), r"\ab  a\\b\n.jpg");
    }
}
