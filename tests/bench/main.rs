//! `make bench`: measures what docs/benchmarks.md states, Doorpost beside the programs people use today, in one run on one
//! machine, and writes that page's tables. tests/bench/all.sh builds and installs what this needs.
//!
//! | file | owns |
//! |---|---|
//! | `site` | the site of 5,000 members, and the daemon |
//! | `memory`, `wifi`, `resumed`, `load`, `print`, `doors` | one part of the page each |
//! | `process` | the kernel's account of a server |
//! | `http` | a client that costs little |
//! | `page` | docs/benchmarks.md |

mod doors;
mod http;
mod load;
mod memory;
mod page;
mod print;
mod process;
mod resumed;
mod site;
mod wifi;

use site::Doorpost;
use std::fs;
use support::printer::{Behaviour, Printer};

const PARTS: [&str; 6] = ["memory", "print", "doors", "wifi", "resumed", "load"];

fn main() {
    let parts: Vec<String> = std::env::args().skip(1).collect();
    if let Some(unknown) = parts.iter().find(|part| !PARTS.contains(&part.as_str())) {
        eprintln!("there is no part {unknown}: expected {}", PARTS.join(", "));
        std::process::exit(2);
    }
    let wanted = |part: &str| parts.is_empty() || parts.iter().any(|wanted| wanted == part);
    let folder = support::daemon::source().join("target/bench");
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).expect("a folder under target");
    page::write_machine();

    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let printer = runtime.block_on(Printer::start(Behaviour::default()));
    fs::write(folder.join("site.yaml"), site::site_file(printer.address())).expect("the site file");
    let mut doorpost = Doorpost::start(&folder, None);
    println!("adding {} members", site::members());
    let people = site::populate(&doorpost);
    if wanted("memory") {
        doorpost = memory::measure(&folder, doorpost, &people);
    }
    if wanted("print") {
        print::measure(&folder, &doorpost, &people, &printer, &runtime);
    }
    if wanted("doors") {
        doors::measure(&folder, &doorpost, &people, &runtime);
    }
    if wanted("wifi") {
        wifi::measure(&folder, &doorpost, &people);
    }
    if wanted("resumed") {
        resumed::measure(&folder, &doorpost, &people, &runtime);
    }
    if wanted("load") {
        load::measure(&folder, doorpost, &people, &runtime);
    }
}
