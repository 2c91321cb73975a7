//! The site file: any text is a good file or a list of faults, each with a place inside the text.

use std::path::Path;

pub fn run(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    match agentd::site_file::parse(text, Path::new("/nonexistent/site.yaml")) {
        Ok(file) => {
            for plan in file.model.plans.values() {
                if let Some(wifi) = &plan.wifi {
                    assert!(
                        file.model.networks.contains_key(&wifi.network),
                        "a plan leads to a network that is not there"
                    );
                }
                for grant in &plan.doors {
                    assert!(grant.doors.iter().all(|door| file.model.doors.contains_key(door)));
                }
            }
        }
        Err(faults) => {
            assert!(!faults.faults.is_empty(), "a refusal says why");
            // YAML 1.2, 5.4: a lone carriage return ends a line too.
            let lines = text.replace("\r\n", "\n").split(['\n', '\r']).count() as u64 + 1;
            for fault in faults.faults {
                assert!(fault.line <= lines && !fault.message.is_empty(), "{fault:?} of {lines} lines");
            }
        }
    }
}
