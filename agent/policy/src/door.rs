//! Who may open which door, and when.
