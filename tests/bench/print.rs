//! Printing: what a request and a job cost the server, beside cupsd and ippeveprinter.

use crate::http::Http;
use crate::page::{self, Row};
use crate::process::{Running, script, wait_for_tcp};
use crate::site::{Doorpost, Name, People};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::thread::sleep;
use std::time::{Duration, Instant};
use support::documents::{A4, RasterType, pdf_on, pwg_raster};
use support::printer::Printer;

const PRINT_JOB: u16 = 0x0002;
const GET_PRINTER_ATTRIBUTES: u16 = 0x000b;
/// Turns of the servers, and what is asked in each.
const TURNS: usize = 5;
const REQUESTS: usize = 200;
const JOBS: usize = 20;
const PDFS: usize = 40;
const DOCUMENT_BYTES: usize = 300_000;
const SETTLE: Duration = Duration::from_millis(1_200);
const ATTRIBUTES_TARGET_MS: f64 = 0.1;
const JOB_TARGET_MS: f64 = 0.5;

trait Both: Read + Write {}
impl<T: Read + Write> Both for T {}
type Connection = Http<Box<dyn Both>>;

/// Somewhere to send IPP to.
struct Queue {
    port: u16,
    path: &'static str,
    tls: Option<Arc<ClientConfig>>,
    /// Headers beyond the usual, with their line ends.
    headers: String,
}

impl Queue {
    fn connect(&self) -> Connection {
        let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).expect("the server listens");
        stream.set_nodelay(true).expect("a socket");
        let stream: Box<dyn Both> = match &self.tls {
            None => Box::new(stream),
            Some(tls) => {
                let name = ServerName::try_from("doorpost.harbour.example").expect("a name");
                let connection = ClientConnection::new(Arc::clone(tls), name).expect("settings");
                Box::new(StreamOwned::new(connection, stream))
            }
        };
        Http::over(stream)
    }

    fn send(&self, connection: &mut Connection, operation: u16, format: Option<&str>, document: &[u8]) {
        let uri = format!("ipp://localhost:{}{}", self.port, self.path);
        let mut body = request(operation, &uri, format);
        body.extend(document);
        let headers = format!("Content-Type: application/ipp\r\n{}", self.headers);
        let (status, answer) = connection.post(self.path, &headers, &body).expect("an answer");
        let code = answer.get(2..4).map_or(u16::MAX, |code| u16::from_be_bytes([code[0], code[1]]));
        assert!(status == 200 && code < 0x0100, "{}: HTTP {status}, IPP {code:#06x}", self.path);
    }

    /// So many requests, each on a connection of its own or all on one.
    fn attributes(&self, count: usize, own_connections: bool) {
        let mut connection = self.connect();
        for n in 0..count {
            if own_connections && n > 0 {
                connection = self.connect();
            }
            self.send(&mut connection, GET_PRINTER_ATTRIBUTES, None, &[]);
        }
    }

    fn jobs(&self, count: usize, own_connections: bool, format: &str, document: &[u8]) {
        let mut connection = self.connect();
        for n in 0..count {
            if own_connections && n > 0 {
                connection = self.connect();
            }
            self.send(&mut connection, PRINT_JOB, Some(format), document);
        }
    }
}

/// RFC 8010 by hand: the attributes that every request must have and, for a job, a name and the format.
fn request(operation: u16, uri: &str, format: Option<&str>) -> Vec<u8> {
    let mut out = vec![2, 0];
    out.extend(operation.to_be_bytes());
    out.extend(1_u32.to_be_bytes());
    out.push(0x01);
    let mut put = |tag: u8, name: &str, value: &str| {
        out.push(tag);
        for text in [name, value] {
            out.extend(u16::try_from(text.len()).expect("short").to_be_bytes());
            out.extend(text.bytes());
        }
    };
    put(0x47, "attributes-charset", "utf-8");
    put(0x48, "attributes-natural-language", "en");
    put(0x45, "printer-uri", uri);
    put(0x42, "requesting-user-name", "measure");
    if let Some(format) = format {
        put(0x42, "job-name", "a page");
        put(0x49, "document-format", format);
    }
    out.push(0x03);
    out
}

/// One page of grey PWG raster that does not compress: noise for as many lines as it takes, then paper.
fn noisy_page() -> Vec<u8> {
    let (width, height) = (A4.width_pt * 300 / 72, A4.height_pt * 300 / 72);
    let mut out = pwg_raster(A4, 300, RasterType::Sgray8, 1);
    out.truncate(4 + 1_796);
    let (mut line, mut state) = (0, 1_u32);
    while out.len() < DOCUMENT_BYTES {
        out.push(0);
        let mut left = width;
        while left > 0 {
            let run = left.min(128);
            out.push(if run == 1 { 0 } else { u8::try_from(257 - run).expect("2 to 128 pixels") });
            for _ in 0..run {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                out.push(state.to_be_bytes()[0]);
            }
            left -= run;
        }
        line += 1;
    }
    while line < height {
        let repeat = (height - line).min(256);
        out.push(u8::try_from(repeat - 1).expect("at most 256 lines"));
        let mut left = width;
        while left > 0 {
            let run = left.min(128);
            out.extend([u8::try_from(run - 1).expect("at most 128 pixels"), 255]);
            left -= run;
        }
        line += repeat;
    }
    out
}

fn spent(running: &Running, work: impl FnOnce()) -> Duration {
    let before = running.cpu();
    work();
    sleep(SETTLE);
    running.cpu().saturating_sub(before)
}

fn ms_each(total: Duration, count: usize) -> f64 {
    total.as_secs_f64() * 1_000.0 / count as f64
}

fn start_cupsd(folder: &Path) -> (Running, Queue) {
    let folder = folder.join("cups");
    let port = support::daemon::free_tcp_port();
    script("cups.sh", &[&folder.display().to_string(), &port.to_string()]);
    let mut command = Command::new("cupsd");
    command.arg("-f").arg("-c").arg(folder.join("cupsd.conf")).arg("-s").arg(folder.join("cups-files.conf"));
    let running = Running::start(&mut command, &folder.join("out.log"));
    wait_for_tcp(port);
    (running, Queue { port, path: "/printers/null", tls: None, headers: String::new() })
}

fn start_ippeveprinter(folder: &Path) -> (Running, Queue) {
    let folder = folder.join("ippeveprinter");
    std::fs::create_dir_all(&folder).expect("a folder");
    let port = support::daemon::free_tcp_port();
    let mut command = Command::new("ippeveprinter");
    command
        .args(["-p", &port.to_string(), "-s", "100,100", "-f", "application/pdf,image/pwg-raster", "-d"])
        .arg(&folder);
    command.arg(format!("Measured {port}"));
    let running = Running::start(&mut command, &folder.join("out.log"));
    wait_for_tcp(port);
    (running, Queue { port, path: "/ipp/print", tls: None, headers: String::new() })
}

fn our_queue(doorpost: &Doorpost, name: Option<&Name>) -> Queue {
    let port = doorpost.address("ipp").port();
    let Some(name) = name else { return Queue { port, path: "/ipp/print/front", tls: None, headers: String::new() } };
    let mut roots = RootCertStore::empty();
    let pem = std::fs::read(doorpost.data.join("pki/ca.pem")).expect("the CA");
    CertificateDer::pem_slice_iter(&pem).for_each(|ca| roots.add(ca.expect("a certificate")).expect("a CA"));
    let mut config = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
    config.resumption = rustls::client::Resumption::disabled();
    let credential = base64(format!("{}:{}", name.username, name.password).as_bytes());
    Queue {
        port,
        path: "/ipp/print/front",
        tls: Some(Arc::new(config)),
        headers: format!("Authorization: Basic {credential}\r\n"),
    }
}

/// RFC 4648 4.
fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::new();
    for chunk in bytes.chunks(3) {
        let word = (0..3).fold(0_usize, |word, n| word << 8 | usize::from(chunk.get(n).copied().unwrap_or(0)));
        for n in 0..4 {
            out.push(if n <= chunk.len() { char::from(ALPHABET[word >> (18 - 6 * n) & 63]) } else { '=' });
        }
    }
    out
}

/// Measures. `printer` stands behind Doorpost's queue.
pub fn measure(
    folder: &Path,
    doorpost: &Doorpost,
    people: &People,
    printer: &Printer,
    runtime: &tokio::runtime::Runtime,
) {
    let mut rows = attributes(folder, doorpost);
    rows.extend(jobs(folder, doorpost, people, printer, runtime));
    let sentence = format!(
        "Processor time of the server process. Requests: {} a line, in {TURNS} turns. Jobs: {} a line, one page of 300 KB PWG raster each, in {TURNS} \
         turns; Doorpost takes them over TLS with a credential, counts pages, commits reservation and settlement to the disk, and sends them on to a \
         simulated printer that it then watches; cupsd takes them in plain, without credential, for a raw queue to /dev/null.",
        TURNS * REQUESTS,
        TURNS * JOBS
    );
    page::write("print", &sentence, &rows);
}

fn attributes(folder: &Path, doorpost: &Doorpost) -> Vec<Row> {
    let (cupsd, cups_queue) = start_cupsd(folder);
    let (eve, eve_queue) = start_ippeveprinter(folder);
    let servers = [(&doorpost.running, our_queue(doorpost, None)), (&cupsd, cups_queue), (&eve, eve_queue)];
    let mut rows = Vec::new();
    for own_connections in [true, false] {
        servers.iter().for_each(|(_, queue)| queue.attributes(REQUESTS, own_connections));
        let mut total = [Duration::ZERO; 3];
        for _ in 0..TURNS {
            for ((running, queue), total) in servers.iter().zip(&mut total) {
                *total += spent(running, || queue.attributes(REQUESTS, own_connections));
            }
        }
        let [ours, cups, eve] = total.map(|total| ms_each(total, TURNS * REQUESTS));
        let how = if own_connections { "each on a connection of its own" } else { "all on one connection" };
        let row = Row::promised(
            format!("Get-Printer-Attributes (all of them), {how}"),
            format!("{ours:.3} ms"),
            "at most 0.1 ms",
            ours <= ATTRIBUTES_TARGET_MS,
        );
        rows.push(row.beside(format!("cupsd {cups:.3} ms, ippeveprinter {eve:.3} ms"), ours / eve));
    }
    rows
}

/// Waits until no job is under way, so that all of its cost is counted.
fn wait_until_settled(doorpost: &Doorpost, count: usize, state: &str) {
    let began = Instant::now();
    let mut console = doorpost.console();
    loop {
        sleep(Duration::from_millis(500));
        let answer = console.get(&format!("/api/print/jobs?limit={count}"));
        let jobs = answer["jobs"].as_array().expect("a list");
        if jobs.len() == count && jobs.iter().all(|job| job["state"] == state) {
            return;
        }
        assert!(began.elapsed() < Duration::from_secs(60), "jobs are not {state}: {answer}");
    }
}

fn jobs(
    folder: &Path,
    doorpost: &Doorpost,
    people: &People,
    printer: &Printer,
    runtime: &tokio::runtime::Runtime,
) -> Vec<Row> {
    let document = noisy_page();
    let (cupsd, cups_queue) = start_cupsd(&folder.join("jobs"));
    let mut printing = people.printing.iter();
    let mut broke = people.broke.iter();
    let mut printed = |own_connections: bool, count: usize, format: &str, document: &[u8]| {
        let queue = our_queue(doorpost, printing.next());
        let before = printer.jobs().len();
        spent(&doorpost.running, || {
            queue.jobs(count, own_connections, format, document);
            runtime.block_on(printer.completed(before + count));
            wait_until_settled(doorpost, count, "completed");
        })
    };
    let mut held = || {
        let queue = our_queue(doorpost, broke.next());
        spent(&doorpost.running, || {
            queue.jobs(JOBS, false, "image/pwg-raster", &document);
            wait_until_settled(doorpost, JOBS, "held");
        })
    };
    let cups = || {
        spent(&cupsd, || {
            cups_queue.jobs(JOBS, false, "application/vnd.cups-raw", &document);
            sleep(SETTLE);
        })
    };
    // Once unmeasured, so that nobody pays for the first time.
    let _ = (printed(false, JOBS, "image/pwg-raster", &document), held(), cups());
    let (mut kept, mut own, mut taken, mut other) = (Duration::ZERO, Duration::ZERO, Duration::ZERO, Duration::ZERO);
    for _ in 0..TURNS {
        kept += printed(false, JOBS, "image/pwg-raster", &document);
        other += cups();
        own += printed(true, JOBS, "image/pwg-raster", &document);
        taken += held();
    }
    let [kept, own, taken, other] = [kept, own, taken, other].map(|total| ms_each(total, TURNS * JOBS));
    let children = doorpost.running.children_cpu();
    let parent = (0..2).map(|_| printed(false, PDFS / 2, "application/pdf", &pdf_on(A4, 20, 270_000))).sum();
    let child = ms_each(doorpost.running.children_cpu().saturating_sub(children), PDFS);
    let promised = |what: &str, ours: f64| {
        let row = Row::promised(what, format!("{ours:.3} ms"), "at most 0.5 ms", ours <= JOB_TARGET_MS);
        row.beside(format!("cupsd {other:.3} ms"), ours / other)
    };
    vec![
        promised("Print-Job, 300 KB raster, taken in and held", taken),
        promised("Print-Job, 300 KB raster, from the request to the settled job, one connection for all", kept),
        promised("the same, each on a TLS connection of its own", own),
        Row::told("Print-Job, 300 KB PDF of 20 pages, without the child", format!("{:.3} ms", ms_each(parent, PDFS))),
        Row::told("the child that counts its pages, with its start", format!("{child:.1} ms")),
    ]
}
