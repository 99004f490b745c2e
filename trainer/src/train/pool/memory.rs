//! Memory of the system and of this process, from Linux's /proc. Unknown on other systems.

use std::fs::read_to_string;
use std::path::{Path, PathBuf};

/// Bytes that this process can use without swapping: the available memory of the machine, or what
/// its control groups leave if that is less; none if the system does not report it.
pub fn available() -> Option<usize> {
    let machine = bytes(&read_to_string("/proc/meminfo").ok()?, "MemAvailable:")?;
    let groups = read_to_string("/proc/self/cgroup").unwrap_or_default();
    let limits = groups.lines().flat_map(folders).filter_map(|folder| left(&folder));
    Some(limits.fold(machine, usize::min))
}

/// The peak resident memory of this process in MB of 10^6 bytes; none if the system does not report
/// it.
pub fn peak_rss_mb() -> Option<f64> {
    let bytes = bytes(&read_to_string("/proc/self/status").ok()?, "VmHWM:")?;
    Some(bytes as f64 / 1e6)
}

/// The value of the line `name` of a listing in kB, in bytes.
fn bytes(listing: &str, name: &str) -> Option<usize> {
    let line = listing.lines().find_map(|line| line.strip_prefix(name))?;
    let kibibytes: usize = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kibibytes.checked_mul(1024)
}

/// The folders of the control groups of a line of /proc/self/cgroup that limit memory: the process's
/// own and all above it.
fn folders(line: &str) -> Vec<PathBuf> {
    let root = Path::new("/sys/fs/cgroup");
    let mut parts = line.splitn(3, ':').skip(1);
    let root = match parts.next() {
        Some("") => root.to_owned(),
        Some(controllers) if controllers.split(',').any(|name| name == "memory") => root.join("memory"),
        _ => return Vec::new(),
    };
    let own = root.join(parts.next().unwrap_or_default().trim_start_matches('/'));
    own.ancestors().take_while(|folder| folder.starts_with(&root)).map(Path::to_owned).collect()
}

/// The bytes that the limit of a control group leaves; cached files count as free.
fn left(folder: &Path) -> Option<usize> {
    let number = |name: &str| read_to_string(folder.join(name)).ok()?.trim().parse::<usize>().ok();
    let limit = number("memory.max").or_else(|| number("memory.limit_in_bytes"))?;
    let used = number("memory.current").or_else(|| number("memory.usage_in_bytes"))?;
    let statistics = read_to_string(folder.join("memory.stat")).unwrap_or_default();
    let files = |line: &str| {
        let (name, value) = line.split_once(' ')?;
        ["inactive_file", "total_inactive_file"].contains(&name).then(|| value.parse().ok())?
    };
    let files: usize = statistics.lines().filter_map(files).max().unwrap_or(0);
    Some(limit.saturating_sub(used.saturating_sub(files)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn listings_are_read() {
        let listing = "MemFree:  12 kB\nMemAvailable:   2048 kB\nOdd: much\n";
        assert_eq!(bytes(listing, "MemAvailable:"), Some(2 << 20));
        assert_eq!(bytes(listing, "Odd:"), None);
        assert_eq!(bytes(listing, "Missing:"), None);
    }

    #[test]
    fn groups_of_both_versions_are_found() {
        let paths = |paths: &[&str]| paths.iter().map(PathBuf::from).collect::<Vec<_>>();
        let expected = paths(&["/sys/fs/cgroup/user/run", "/sys/fs/cgroup/user", "/sys/fs/cgroup"]);
        assert_eq!(folders("0::/user/run"), expected);
        assert_eq!(folders("4:memory:/"), paths(&["/sys/fs/cgroup/memory"]));
        let job = paths(&["/sys/fs/cgroup/memory/job", "/sys/fs/cgroup/memory"]);
        assert_eq!(folders("4:cpu,memory:/job"), job);
        assert!(folders("5:devices:/x").is_empty() && folders("nonsense").is_empty());
    }

    #[test]
    fn a_limit_leaves_what_is_not_used() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(left(folder.path()), None);
        let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
        write("memory.max", "max\n");
        write("memory.current", "600\n");
        assert_eq!(left(folder.path()), None, "no limit");
        write("memory.max", "1000\n");
        assert_eq!(left(folder.path()), Some(400));
        write("memory.stat", "anon 500\ninactive_file 50\n");
        assert_eq!(left(folder.path()), Some(450));
        write("memory.current", "2000\n");
        assert_eq!(left(folder.path()), Some(0));
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn this_machine_says() {
        let mb = |bytes: usize| bytes as f64 / 1e6;
        assert!(available().is_some_and(|bytes| mb(bytes) > 1.0));
        assert!(peak_rss_mb().is_some_and(|peak| peak > 1.0));
    }
}
