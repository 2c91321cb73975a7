//! The least of an HTTP/1.1 client that keeps its connection: it must cost little and hide nothing.

use std::io::{self, BufRead, BufReader, Read, Write};

pub struct Http<S: Read + Write> {
    stream: BufReader<S>,
}

impl<S: Read + Write> Http<S> {
    pub fn over(stream: S) -> Self {
        Self { stream: BufReader::new(stream) }
    }

    /// POST with a body; the status and the body of the answer.
    pub fn post(&mut self, path: &str, headers: &str, body: &[u8]) -> io::Result<(u16, Vec<u8>)> {
        let head =
            format!("POST {path} HTTP/1.1\r\nHost: localhost\r\n{headers}Content-Length: {}\r\n\r\n", body.len());
        let mut request = head.into_bytes();
        request.extend(body);
        self.stream.get_mut().write_all(&request)?;
        self.stream.get_mut().flush()?;
        self.answer()
    }

    pub fn get(&mut self, path: &str) -> io::Result<(u16, Vec<u8>)> {
        let head = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n");
        self.stream.get_mut().write_all(head.as_bytes())?;
        self.answer()
    }

    fn line(&mut self) -> io::Result<String> {
        let mut line = String::new();
        if self.stream.read_line(&mut line)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(line.trim_end().to_owned())
    }

    fn answer(&mut self) -> io::Result<(u16, Vec<u8>)> {
        loop {
            let status = self.line()?;
            let status: u16 =
                status.split(' ').nth(1).and_then(|code| code.parse().ok()).ok_or(io::ErrorKind::InvalidData)?;
            let (mut length, mut chunked) = (0_usize, false);
            loop {
                let line = self.line()?.to_ascii_lowercase();
                if line.is_empty() {
                    break;
                }
                if let Some(value) = line.strip_prefix("content-length:") {
                    length = value.trim().parse().map_err(|_| io::ErrorKind::InvalidData)?;
                }
                chunked |= line.starts_with("transfer-encoding:") && line.ends_with("chunked");
            }
            if status == 100 {
                continue;
            }
            let body = if chunked { self.chunks()? } else { self.exactly(length)? };
            return Ok((status, body));
        }
    }

    fn exactly(&mut self, length: usize) -> io::Result<Vec<u8>> {
        let mut body = vec![0; length];
        self.stream.read_exact(&mut body)?;
        Ok(body)
    }

    fn chunks(&mut self) -> io::Result<Vec<u8>> {
        let mut body = Vec::new();
        loop {
            let length = usize::from_str_radix(&self.line()?, 16).map_err(|_| io::ErrorKind::InvalidData)?;
            body.extend(self.exactly(length)?);
            self.line()?;
            if length == 0 {
                return Ok(body);
            }
        }
    }
}
