//! The embedded web UI: the files of web-ui/dist as they were when the binary was built.
//!
//! Owns what a browser is told about them: type, caching, and the policy that lets the pages run nothing but our own files.
//! Knows nothing of the API and of who asks: these files are the same for everybody.
//!
//! web-ui/dist may be empty, because `cargo build` never needs Node: then one page says how to build the UI.

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use rust_embed::{EmbeddedFile, RustEmbed};
use std::borrow::Cow;
use std::fmt::Write;

#[derive(RustEmbed)]
#[folder = "../../web-ui/dist"]
#[allow_missing = true]
struct Files;

/// Own files only, no plug-ins, no other base, no frame around us (OWASP ASVS 3.4.3 and 3.4.6). `'self'` covers neither
/// inline code and style nor `data:`; the UI is built to need none.
const CONTENT_SECURITY_POLICY: &str =
    "default-src 'self'; object-src 'none'; base-uri 'none'; frame-ancestors 'none'; form-action 'self'";

const SECURITY: [(HeaderName, HeaderValue); 4] = [
    (header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(CONTENT_SECURITY_POLICY)),
    (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
    (HeaderName::from_static("cross-origin-opener-policy"), HeaderValue::from_static("same-origin")),
];

/// Vite puts a hash of the content into every name under assets/, so a name's content never changes.
const IMMUTABLE: HeaderValue = HeaderValue::from_static("public, max-age=31536000, immutable");
/// The page names the assets of its own build: an old copy would ask for files that are gone.
const NO_STORE: HeaderValue = HeaderValue::from_static("no-store");
/// Anything else (the icon) may be kept and is asked about by its ETag.
const NO_CACHE: HeaderValue = HeaderValue::from_static("no-cache");

const UNBUILT: &str = "<!doctype html><html lang=en><meta charset=utf-8><title>Doorpost</title>\
<h1>Doorpost runs; this binary holds no web UI</h1>\
<p>It was built without one. In the source folder, run <code>make build</code> (or <code>npm ci &amp;&amp; npm run build</code> \
in web-ui and then <code>cargo build</code>) and start it again.</p>\
<p>Until then the <code>doorpost</code> command on this machine does everything.</p>";

/// Serves the files of the UI; the listener adds [`harden`] to all that it serves.
pub fn router() -> Router {
    Router::new().fallback(answer)
}

/// What every answer to a browser carries, the API's too; an answer that says nothing of caching is not kept.
pub async fn harden(mut response: Response) -> Response {
    response.headers_mut().extend(SECURITY);
    response.headers_mut().entry(header::CACHE_CONTROL).or_insert(NO_STORE);
    response
}

async fn answer(method: Method, uri: Uri, headers: HeaderMap) -> Response {
    if method == Method::GET || method == Method::HEAD {
        file(uri.path(), &headers)
    } else {
        (StatusCode::METHOD_NOT_ALLOWED, [(header::ALLOW, "GET, HEAD")]).into_response()
    }
}

fn file(path: &str, headers: &HeaderMap) -> Response {
    let name = match path.trim_start_matches('/') {
        "" => "index.html",
        name => name,
    };
    // The compressed copies are answers to the plain names, not pages of their own; .gitkeep keeps the folder in Git.
    if name.starts_with('.') || name.ends_with(".br") {
        return not_found();
    }
    match Files::get(name) {
        Some(plain) => embedded(name, plain, headers),
        None if name == "index.html" => (
            StatusCode::OK,
            [(header::CONTENT_TYPE, HeaderValue::from_static("text/html")), (header::CACHE_CONTROL, NO_STORE)],
            UNBUILT,
        )
            .into_response(),
        None => not_found(),
    }
}

fn not_found() -> Response {
    (StatusCode::NOT_FOUND, [(header::CACHE_CONTROL, NO_STORE)], "There is no such page.\n").into_response()
}

fn embedded(name: &str, plain: EmbeddedFile, headers: &HeaderMap) -> Response {
    let packed = if takes_brotli(headers) { Files::get(&format!("{name}.br")) } else { None };
    let encoding = packed.is_some().then(|| (header::CONTENT_ENCODING, HeaderValue::from_static("br")));
    let chosen = packed.unwrap_or(plain);
    let tag = etag(&chosen);
    let mut response = if headers.get(header::IF_NONE_MATCH).is_some_and(|asked| matches(asked, &tag)) {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        let body = match chosen.data {
            Cow::Borrowed(bytes) => Body::from(bytes),
            Cow::Owned(bytes) => Body::from(bytes),
        };
        let mut response = Response::new(body);
        response.headers_mut().insert(header::CONTENT_TYPE, content_type(name));
        response.headers_mut().extend(encoding);
        response
    };
    let answer = response.headers_mut();
    answer.insert(header::ETAG, tag);
    answer.insert(header::VARY, HeaderValue::from_static("accept-encoding"));
    answer.insert(header::CACHE_CONTROL, caching(name));
    response
}

fn caching(name: &str) -> HeaderValue {
    if name.starts_with("assets/") {
        IMMUTABLE
    } else if name == "index.html" {
        NO_STORE
    } else {
        NO_CACHE
    }
}

/// What Vite writes. Anything else is a download, which `nosniff` keeps it.
fn content_type(name: &str) -> HeaderValue {
    HeaderValue::from_static(match name.rsplit_once('.').map(|(_, suffix)| suffix) {
        Some("html") => "text/html; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("svg") => "image/svg+xml",
        Some("png") => "image/png",
        Some("json" | "map") => "application/json",
        _ => "application/octet-stream",
    })
}

/// A strong tag (RFC 9110 8.8.3): the SHA-256 of exactly the bytes sent, so plain and compressed differ.
fn etag(file: &EmbeddedFile) -> HeaderValue {
    let mut tag = String::with_capacity(66);
    tag.push('"');
    for byte in file.metadata.sha256_hash() {
        let _ = write!(tag, "{byte:02x}"); // writing to a String cannot fail
    }
    tag.push('"');
    HeaderValue::try_from(tag).expect("hexadecimal digits in quotes are a header value")
}

/// RFC 9110 13.1.2: any of the listed tags, or `*`; the comparison is the weak one.
fn matches(asked: &HeaderValue, tag: &HeaderValue) -> bool {
    asked.to_str().is_ok_and(|list| {
        list.split(',')
            .map(str::trim)
            .any(|one| one == "*" || one.strip_prefix("W/").unwrap_or(one).as_bytes() == tag.as_bytes())
    })
}

/// RFC 9110 12.5.3: `br` listed and not weighted 0.
fn takes_brotli(headers: &HeaderMap) -> bool {
    headers
        .get_all(header::ACCEPT_ENCODING)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|list| list.split(','))
        .any(|coding| {
            let (name, weight) = coding.split_once(';').unwrap_or((coding, ""));
            let zero = weight.trim().strip_prefix("q=").is_some_and(|q| q.parse::<f32>().is_ok_and(|q| q <= 0.0));
            name.trim().eq_ignore_ascii_case("br") && !zero
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value))).collect()
    }

    async fn ask(method: Method, path: &'static str, pairs: &[(&'static str, &'static str)]) -> Response {
        harden(answer(method, Uri::from_static(path), headers(pairs)).await).await
    }

    fn text<'a>(response: &'a Response, name: &HeaderName) -> &'a str {
        response.headers().get(name).map_or("", |value| value.to_str().expect("text"))
    }

    #[tokio::test]
    async fn every_answer_carries_the_policy_and_none_is_sniffed() {
        for (method, path, status) in [
            (Method::GET, "/", StatusCode::OK),
            (Method::HEAD, "/index.html", StatusCode::OK),
            (Method::GET, "/no/such/thing", StatusCode::NOT_FOUND),
            (Method::GET, "/.gitkeep", StatusCode::NOT_FOUND),
            (Method::GET, "/../Cargo.toml", StatusCode::NOT_FOUND),
            (Method::POST, "/", StatusCode::METHOD_NOT_ALLOWED),
        ] {
            let response = ask(method, path, &[]).await;
            assert_eq!(response.status(), status, "{path}");
            assert_eq!(text(&response, &header::CONTENT_SECURITY_POLICY), CONTENT_SECURITY_POLICY);
            assert_eq!(text(&response, &header::X_CONTENT_TYPE_OPTIONS), "nosniff");
            assert_eq!(text(&response, &header::REFERRER_POLICY), "no-referrer");
        }
    }

    /// Holds with the UI built and without it.
    #[tokio::test]
    async fn the_page_is_there_and_is_never_kept() {
        let response = ask(Method::GET, "/", &[]).await;
        assert_eq!(text(&response, &header::CACHE_CONTROL), "no-store");
        assert!(text(&response, &header::CONTENT_TYPE).starts_with("text/html"));
    }

    #[tokio::test]
    async fn assets_are_kept_for_good_and_asked_for_by_tag() {
        let scripts = Files::iter().filter(|name| name.starts_with("assets/") && name.ends_with(".js"));
        for name in scripts {
            let path = format!("/{name}");
            let plain = file(&path, &headers(&[]));
            assert_eq!(text(&plain, &header::CACHE_CONTROL), "public, max-age=31536000, immutable");
            assert_eq!(text(&plain, &header::CONTENT_TYPE), "text/javascript; charset=utf-8");
            assert_eq!(text(&plain, &header::CONTENT_ENCODING), "");
            let tag = text(&plain, &header::ETAG).to_owned();

            let mut again = headers(&[]);
            again.insert(header::IF_NONE_MATCH, HeaderValue::try_from(format!("\"x\", W/{tag}")).expect("a tag"));
            assert_eq!(file(&path, &again).status(), StatusCode::NOT_MODIFIED);

            let packed = file(&path, &headers(&[("accept-encoding", "gzip, br;q=0.9")]));
            if Files::get(&format!("{name}.br")).is_some() {
                assert_eq!(text(&packed, &header::CONTENT_ENCODING), "br");
                assert_ne!(text(&packed, &header::ETAG), tag, "a tag names exact bytes");
            }
        }
    }

    #[test]
    fn brotli_is_sent_only_to_who_takes_it() {
        for (value, takes) in
            [("br", true), ("gzip, BR ;q=0.5", true), ("gzip", false), ("br;q=0", false), ("brotli", false)]
        {
            assert_eq!(takes_brotli(&headers(&[("accept-encoding", value)])), takes, "{value}");
        }
    }

    #[tokio::test]
    async fn the_compressed_copies_are_no_pages_of_their_own() {
        for name in Files::iter().filter(|name| name.ends_with(".br")) {
            assert_eq!(file(&format!("/{name}"), &headers(&[])).status(), StatusCode::NOT_FOUND);
        }
    }
}
