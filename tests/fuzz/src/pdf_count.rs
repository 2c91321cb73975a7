//! Any document at the PDF counter: it ends, within bounds. The parser may panic, as it may in the child process that it
//! runs in, where that is answered as "unreadable"; it may not run on or take all memory.

use proto::count::{PAGES_MAX, pdf};

pub fn run(data: &[u8]) {
    // libFuzzer would take the panic for a crash in the hook, before it is caught.
    std::panic::set_hook(Box::new(|_| {}));
    let counted = std::panic::catch_unwind(|| pdf::count(data.to_vec()));
    let _ = std::panic::take_hook();
    if let Ok(Ok(count)) = counted {
        assert!(count.pages.is_some_and(|pages| (1..=PAGES_MAX).contains(&pages)));
    }
}
