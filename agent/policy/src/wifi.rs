//! Who may join the Wi-Fi, on which network and for how long.

use values::{NetworkName, ScheduleName};

/// What a plan includes of the Wi-Fi.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WifiPlan {
    pub network: NetworkName,
    /// Devices online at the same time.
    pub device_limit: u16,
    /// None is always.
    pub hours: Option<ScheduleName>,
}
