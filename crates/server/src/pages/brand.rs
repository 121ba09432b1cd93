//! What the pages look like: the community's name, logo and colour, and the files that every page loads.

use std::fmt::Write as _;
use std::str::FromStr;

use thiserror::Error;

use super::i18n::{Locale, t};

/// The community's look (`brand.*` in the settings). Built once at start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Brand {
    name: Option<String>,
    logo_url: Option<String>,
    accent: Accent,
    version: String,
}

impl Brand {
    /// `name` is shown on every page (by default the service's own name in the page's language). `logo_url` is a path of this origin or
    /// a `data:image/…` URL, because the pages' policy loads nothing from elsewhere. `accent` is `#rgb` or `#rrggbb`.
    ///
    /// # Errors
    /// Every setting that is wrong, not only the first.
    pub fn new(name: Option<&str>, logo_url: Option<&str>, accent: Option<&str>) -> Result<Self, Vec<BrandError>> {
        let mut problems = Vec::new();
        let name = name.map(str::trim).filter(|name| !name.is_empty());
        if name.is_some_and(|name| name.chars().count() > MAX_NAME_CHARS || name.contains(char::is_control)) {
            problems.push(BrandError::Name);
        }
        if logo_url.is_some_and(|url| !is_loadable_image(url)) {
            problems.push(BrandError::Logo);
        }
        let accent = accent.map_or(Ok(Accent::default()), str::parse).unwrap_or_else(|problem| {
            problems.push(problem);
            Accent::default()
        });
        if !problems.is_empty() {
            return Err(problems);
        }
        let mut brand = Self { name: name.map(str::to_owned), logo_url: logo_url.map(str::to_owned), accent, version: String::new() };
        brand.version = version_of(brand_css(&brand).as_bytes());
        Ok(brand)
    }

    /// The community's name as a page in `locale` shows it.
    pub fn name(&self, locale: Locale) -> String {
        self.name.clone().unwrap_or_else(|| t(locale, "brand-name"))
    }

    /// The configured logo; `None` for the one that is compiled in.
    pub fn logo_url(&self) -> Option<&str> {
        self.logo_url.as_deref()
    }

    /// Changes whenever [`brand_css`] does: 16 hexadecimal digits.
    pub fn version(&self) -> &str {
        &self.version
    }
}

impl Default for Brand {
    fn default() -> Self {
        let mut brand = Self { name: None, logo_url: None, accent: Accent::default(), version: String::new() };
        brand.version = version_of(brand_css(&brand).as_bytes());
        brand
    }
}

/// A `brand.*` setting that is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum BrandError {
    /// `brand.name`
    #[error("brand.name: at most {MAX_NAME_CHARS} characters on one line")]
    Name,
    /// `brand.logo_url`
    #[error("brand.logo_url: must be a path of this site (`/logo.png`) or a `data:image/…` URL; the pages load nothing from elsewhere")]
    Logo,
    /// `brand.accent`
    #[error("brand.accent: must be a colour like `#1b5e4b` or `#175`")]
    Accent,
}

/// The accent colour in sRGB.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Accent(Rgb);

impl Default for Accent {
    /// Pine green.
    fn default() -> Self {
        Self(Rgb(0x1b, 0x5e, 0x4b))
    }
}

impl FromStr for Accent {
    type Err = BrandError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let digits: Option<Vec<u8>> =
            text.strip_prefix('#').ok_or(BrandError::Accent)?.chars().map(|c| c.to_digit(16).and_then(|digit| u8::try_from(digit).ok())).collect();
        match digits.as_deref() {
            Some(&[r, g, b]) => Ok(Self(Rgb(r * 17, g * 17, b * 17))),
            Some(&[r1, r2, g1, g2, b1, b2]) => Ok(Self(Rgb(r1 * 16 + r2, g1 * 16 + g2, b1 * 16 + b2))),
            _ => Err(BrandError::Accent),
        }
    }
}

/// The stylesheet behind `/assets/brand.css`: the accent as custom properties, for light and dark.
///
/// `--accent` fills, `--on-accent` is text on it, `--accent-hover` keeps that text at least as readable, `--accent-edge` is an outline
/// (3:1 against every surface, WCAG 2.2 §1.4.11) and `--accent-ink` is text on the surfaces (4.5:1, §1.4.3).
pub fn brand_css(brand: &Brand) -> String {
    let mut css = String::new();
    for (scheme, surfaces, toward) in [("", LIGHT_SURFACES, BLACK), ("dark", DARK_SURFACES, WHITE)] {
        let fill = brand.accent.0;
        // White is calmer on a deep colour; where it cannot be read, black can: one of the two always reaches 4.58:1.
        let on_fill = if fill.contrast(WHITE) >= TEXT_CONTRAST { WHITE } else { BLACK };
        let hover = fill.mixed(if on_fill == WHITE { BLACK } else { WHITE }, 15);
        let properties = [
            ("accent", fill),
            ("on-accent", on_fill),
            ("accent-hover", hover),
            ("accent-edge", fill.until(toward, EDGE_CONTRAST, surfaces)),
            ("accent-ink", fill.until(toward, TEXT_CONTRAST, surfaces)),
        ];
        let mut rule = String::from(":root{");
        for (name, Rgb(r, g, b)) in properties {
            let _ = write!(rule, "--{name}:#{r:02x}{g:02x}{b:02x};");
        }
        rule.push('}');
        let _ = if scheme.is_empty() { writeln!(css, "{rule}") } else { writeln!(css, "@media (prefers-color-scheme:{scheme}){{{rule}}}") };
    }
    css
}

/// A file that is compiled in and served under `/assets/`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Asset {
    /// The last part of its path.
    pub name: &'static str,
    /// `Content-Type`.
    pub content_type: &'static str,
    /// What is served.
    pub body: &'static str,
    version: u64,
}

impl Asset {
    /// Every compiled-in file. `brand.css` is not among them: it comes from [`brand_css`].
    pub const ALL: [Self; 5] = [
        Self::new("style.css", "text/css; charset=utf-8", include_str!("../../assets/style.css")),
        Self::new("logo.svg", "image/svg+xml", include_str!("../../assets/logo.svg")),
        Self::new("rosette.svg", "image/svg+xml", include_str!("../../assets/rosette.svg")),
        Self::new("chat-frame.js", "text/javascript; charset=utf-8", include_str!("../../assets/chat-frame.js")),
        Self::new("form-post.js", "text/javascript; charset=utf-8", include_str!("../../assets/form-post.js")),
    ];

    /// The file of that name.
    pub fn named(name: &str) -> Option<&'static Self> {
        const FILES: &[Asset] = &Asset::ALL;
        FILES.iter().find(|asset| asset.name == name)
    }

    /// Changes whenever the file does: 16 hexadecimal digits, for the query of its address and its `ETag`.
    pub fn version(&self) -> String {
        format!("{:016x}", self.version)
    }

    const fn new(name: &'static str, content_type: &'static str, body: &'static str) -> Self {
        Self { name, content_type, body, version: fnv1a(body.as_bytes()) }
    }
}

fn version_of(bytes: &[u8]) -> String {
    format!("{:016x}", fnv1a(bytes))
}

/// FNV-1a: a cache key, nothing that an attacker would gain from colliding with.
const fn fnv1a(mut bytes: &[u8]) -> u64 {
    let mut hash: u64 = 0xcbf2_9ce4_8422_2325;
    while let [first, rest @ ..] = bytes {
        hash = (hash ^ *first as u64).wrapping_mul(0x0100_0000_01b3);
        bytes = rest;
    }
    hash
}

/// `//host/logo.png` and `/\host/logo.png` are other origins to a browser.
fn is_loadable_image(url: &str) -> bool {
    if url.contains(|c: char| c.is_control() || c.is_whitespace()) {
        return false;
    }
    let own_path = url.starts_with('/') && !url.starts_with("//") && !url.contains('\\');
    own_path
        || ["png", "jpeg", "gif", "webp", "svg+xml"]
            .iter()
            .any(|kind| url.strip_prefix("data:image/").and_then(|rest| rest.strip_prefix(kind)).is_some_and(|rest| rest.starts_with([';', ','])))
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Rgb(u8, u8, u8);

impl Rgb {
    /// WCAG 2.2 contrast ratio, 1 to 21.
    fn contrast(self, other: Self) -> f64 {
        let (a, b) = (self.luminance(), other.luminance());
        (a.max(b) + 0.05) / (a.min(b) + 0.05)
    }

    fn luminance(self) -> f64 {
        let linear = |channel: u8| {
            let value = f64::from(channel) / 255.0;
            if value <= 0.04045 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
        };
        0.0722f64.mul_add(linear(self.2), 0.2126f64.mul_add(linear(self.0), 0.7152 * linear(self.1)))
    }

    /// `percent` of the way to `other`.
    fn mixed(self, other: Self, percent: u16) -> Self {
        let channel = |from: u8, to: u8| {
            let sum = u16::from(from) * (100 - percent) + u16::from(to) * percent;
            u8::try_from(sum / 100).unwrap_or(u8::MAX)
        };
        Self(channel(self.0, other.0), channel(self.1, other.1), channel(self.2, other.2))
    }

    /// The nearest mixture with `toward` that stands out by `ratio` on every one of `surfaces`.
    fn until(self, toward: Self, ratio: f64, surfaces: [Self; 3]) -> Self {
        (0..=100)
            .step_by(4)
            .map(|percent| self.mixed(toward, percent))
            .find(|colour| surfaces.iter().all(|surface| colour.contrast(*surface) >= ratio))
            .unwrap_or(toward)
    }
}

const WHITE: Rgb = Rgb(255, 255, 255);
const BLACK: Rgb = Rgb(0, 0, 0);
/// `--page`, `--sheet` and `--field` of `style.css`; a test compares.
const LIGHT_SURFACES: [Rgb; 3] = [Rgb(0xe7, 0xec, 0xea), WHITE, Rgb(0xf6, 0xf8, 0xf7)];
const DARK_SURFACES: [Rgb; 3] = [Rgb(0x0e, 0x13, 0x11), Rgb(0x18, 0x1f, 0x1c), Rgb(0x11, 0x17, 0x14)];
const TEXT_CONTRAST: f64 = 4.5;
const EDGE_CONTRAST: f64 = 3.0;
const MAX_NAME_CHARS: usize = 60;

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]
mod tests {
    use super::*;

    fn colour(css: &str, property: &str) -> Rgb {
        let value = css.split(&format!("--{property}:")).nth(1).unwrap().split(';').next().unwrap().trim();
        value.parse::<Accent>().unwrap().0
    }

    fn schemes(css: &str) -> [(&str, [Rgb; 3]); 2] {
        let (light, dark) = css.split_once("@media (prefers-color-scheme:").unwrap();
        [(light, LIGHT_SURFACES), (dark, DARK_SURFACES)]
    }

    #[test]
    fn every_accent_stays_readable_in_light_and_dark() {
        let steps = [0u8, 51, 102, 128, 153, 204, 255];
        let colours = steps.iter().flat_map(|r| steps.map(|g| (r, g))).flat_map(|(r, g)| steps.map(|b| format!("#{r:02x}{g:02x}{b:02x}")));
        for accent in colours {
            let css = brand_css(&Brand::new(None, None, Some(&accent)).unwrap());
            for (rules, surfaces) in schemes(&css) {
                let on_accent = colour(rules, "on-accent");
                assert!(on_accent.contrast(colour(rules, "accent")) >= 4.5, "{accent}: {rules}");
                assert!(on_accent.contrast(colour(rules, "accent-hover")) >= 4.5, "{accent}: {rules}");
                for surface in surfaces {
                    assert!(surface.contrast(colour(rules, "accent-ink")) >= 4.5, "{accent}: {rules}");
                    assert!(surface.contrast(colour(rules, "accent-edge")) >= 3.0, "{accent}: {rules}");
                }
            }
        }
    }

    #[test]
    fn surfaces_are_those_of_the_stylesheet_and_its_texts_are_readable() {
        let style = Asset::named("style.css").unwrap().body;
        let (light, dark) = style.split_once("@media (prefers-color-scheme: dark)").unwrap();
        for (rules, surfaces) in [(light, LIGHT_SURFACES), (dark, DARK_SURFACES)] {
            assert_eq!(["page", "sheet", "field"].map(|name| colour(rules, name)), surfaces);
            for (text, surface) in surfaces.iter().flat_map(|surface| ["ink", "muted"].map(|text| (text, surface))) {
                assert!(surface.contrast(colour(rules, text)) >= 4.5, "{text}");
            }
            assert!(colour(rules, "danger").contrast(colour(rules, "danger-tint")) >= 4.5);
            assert!(colour(rules, "ink").contrast(colour(rules, "notice-tint")) >= 4.5);
            assert!(colour(rules, "field").contrast(colour(rules, "line")) >= 3.0);
        }
    }

    #[test]
    fn colours_parse_in_both_lengths_and_nothing_else_does() {
        assert_eq!("#1b5e4b".parse(), Ok(Accent::default()));
        assert_eq!("#fA0".parse(), Ok(Accent(Rgb(255, 170, 0))));
        for wrong in ["", "#", "1b5e4b", "#1b5e4", "#1b5e4g", "#1b5e4b00", "red", "#fff;}body{display:none", "#ж00"] {
            assert_eq!(wrong.parse::<Accent>(), Err(BrandError::Accent), "{wrong}");
        }
    }

    #[test]
    fn logo_comes_from_here_or_from_the_setting_itself() {
        let accepts = |url| Brand::new(None, Some(url), None).is_ok();
        assert!(accepts("/files/logo.png") && accepts("data:image/svg+xml;base64,PHN2Zz4=") && accepts("data:image/png,x"));
        for wrong in [
            "https://elsewhere.example/x.png",
            "//elsewhere.example/x.png",
            "/\\elsewhere.example",
            "logo.png",
            "javascript:1",
            "data:text/html,x",
            "data:image/pngx,",
            "/a b",
            "",
        ] {
            assert!(!accepts(wrong), "{wrong}");
        }
    }

    #[test]
    fn all_wrong_settings_are_reported_at_once() {
        let problems = Brand::new(Some(&"n".repeat(61)), Some("x"), Some("y")).unwrap_err();
        assert_eq!(problems, [BrandError::Name, BrandError::Logo, BrandError::Accent]);
    }

    #[test]
    fn version_follows_the_content() {
        assert_ne!(Brand::default().version(), Brand::new(None, None, Some("#123456")).unwrap().version());
        assert_eq!(Brand::default(), Brand::new(Some(" "), None, None).unwrap());
        let versions = Asset::ALL.map(|asset| asset.version());
        assert!(versions.iter().all(|version| version.len() == 16 && versions.iter().filter(|other| *other == version).count() == 1));
    }

    #[test]
    fn assets_load_nothing_from_elsewhere() {
        for asset in Asset::ALL {
            let outside = asset.body.replace("http://www.w3.org/2000/svg", "");
            assert!(!outside.contains("//") && !outside.contains("@import"), "{}", asset.name);
        }
    }
}
