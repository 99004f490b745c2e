//! Any bytes as each of the lists that come with data sets.
#![no_main]

use dfrt_runtime::data::layouts::lists;
use dfrt_runtime::data::listing;
use libfuzzer_sys::fuzz_target;
use std::path::Path;

fuzz_target!(|bytes: &[u8]| {
    let path = Path::new("data/list");
    let _ = lists::pairs(path, bytes);
    let _ = lists::testing(path, bytes);
    let _ = lists::names(path, bytes);
    let _ = lists::metadata(path, bytes);
    let _ = lists::labels(path, bytes);
    let _ = lists::preview(path, bytes);
    let _ = lists::targets(path, bytes);
    let _ = listing::parse(path, bytes, &listing::ListOptions::default());
});
