//! Takes the receivers out of docs/webhooks.md, so that what is printed there is what is tested.

use std::error::Error;
use std::path::Path;
use std::{env, fs};

const PAGE: &str = "../../docs/webhooks.md";
/// The name of a fence, and the file that its blocks become, one after the other.
const LANGUAGES: [(&str, &str); 4] =
    [("rust", "receiver.rs"), ("python", "receiver.py"), ("js", "receiver.mjs"), ("php", "receiver.php")];

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed={PAGE}");
    let page = fs::read_to_string(PAGE)?;
    let directory = env::var("OUT_DIR")?;
    for (fence, file) in LANGUAGES {
        let blocks = blocks(&page, fence);
        if blocks.is_empty() {
            return Err(format!("{PAGE} has no {fence}").into());
        }
        fs::write(Path::new(&directory).join(file), blocks)?;
    }
    Ok(())
}

fn blocks(page: &str, fence: &str) -> String {
    let opening = format!("\n```{fence}\n");
    let found = page.split(&opening).skip(1).filter_map(|rest| rest.split_once("\n```\n"));
    found.map(|(block, _)| block).collect::<Vec<_>>().join("\n\n\n")
}
