//! QR codes: a passphrase network as phones' cameras understand it, or any link; drawn as SVG, or in blocks for a terminal.

use qrcodegen::{QrCode, QrCodeEcc};

/// ISO/IEC 18004: light modules around the code.
const QUIET_ZONE: i32 = 4;

/// The text for a network with a passphrase (WPA2 or WPA3), in the form that ZXing made common. No quotes are put around what could
/// be taken for hexadecimal: cameras show them as part of the name.
#[must_use]
pub fn wifi(ssid: &str, passphrase: &str) -> String {
    format!("WIFI:T:WPA;S:{};P:{};;", escape(ssid), escape(passphrase))
}

fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if matches!(c, '\\' | ';' | ',' | ':' | '"') {
            out.push('\\');
        }
        out.push(c);
    }
    out
}

/// A drawn code.
pub struct Qr(QrCode);

impl Qr {
    /// None when the text is too long for a code: some 2,000 characters.
    #[must_use]
    pub fn of(text: &str) -> Option<Self> {
        QrCode::encode_text(text, QrCodeEcc::Medium).ok().map(Self)
    }

    fn is_dark(&self, x: i32, y: i32) -> bool {
        self.0.get_module(x, y) // light outside
    }

    /// An SVG image of one unit a module.
    #[must_use]
    pub fn svg(&self) -> String {
        let side = self.0.size() + 2 * QUIET_ZONE;
        let mut path = String::new();
        for y in 0..self.0.size() {
            for x in (0..self.0.size()).filter(|&x| self.is_dark(x, y)) {
                path.push_str(&format!("M{},{}h1v1h-1z", x + QUIET_ZONE, y + QUIET_ZONE));
            }
        }
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {side} {side}\" shape-rendering=\"crispEdges\" role=\"img\">\
             <path fill=\"#fff\" d=\"M0,0h{side}v{side}h-{side}z\"/><path d=\"{path}\"/></svg>\n"
        )
    }

    /// Two modules a character, light ones drawn, since most terminals are dark.
    #[must_use]
    pub fn blocks(&self) -> String {
        let ends = -QUIET_ZONE..self.0.size() + QUIET_ZONE;
        let rows = ends.clone().step_by(2).map(|y| {
            let pair = |x| match (self.is_dark(x, y), self.is_dark(x, y + 1)) {
                (false, false) => '█',
                (false, true) => '▀',
                (true, false) => '▄',
                (true, true) => ' ',
            };
            ends.clone().map(pair).collect::<String>()
        });
        rows.collect::<Vec<_>>().join("\n")
    }
}
