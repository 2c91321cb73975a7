//! As much HTTP/1.1 as a printer speaks: POST with a length or in chunks, `Expect: 100-continue`, kept-alive connections.

use std::io;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

/// Of one request's lines together.
const HEAD_MAX_BYTES: usize = 16 * 1024;
const CHUNK_BYTES: usize = 16 * 1024;

#[derive(Debug)]
pub struct Connection<S> {
    stream: BufReader<S>,
}

impl Connection<TcpStream> {
    pub fn new(stream: TcpStream) -> Self {
        Self { stream: BufReader::new(stream) }
    }

    /// Closes with RST, as a device does that lost its power and came back.
    pub fn reset(&self) {
        let _ = self.stream.get_ref().set_zero_linger();
    }
}

/// What follows the head of a request.
#[derive(Debug)]
pub struct Body<'a, S> {
    stream: &'a mut BufReader<S>,
    left: Left,
}

#[derive(Clone, Copy, Debug)]
enum Left {
    Bytes(u64),
    /// Of the current chunk; the next size line follows.
    Chunk(u64),
    FirstChunk,
    Nothing,
}

fn fault(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what.to_owned())
}

impl<S: AsyncRead + AsyncWrite + Unpin> Connection<S> {
    /// The next request; none when the peer has closed.
    pub async fn request(&mut self) -> io::Result<Option<Body<'_, S>>> {
        let mut left = Left::Nothing;
        let mut expects = false;
        let mut size = 0;
        loop {
            let mut line = String::new();
            if self.stream.read_line(&mut line).await? == 0 {
                return if size == 0 { Ok(None) } else { Err(fault("the head of the request ends early")) };
            }
            size += line.len();
            if size > HEAD_MAX_BYTES {
                return Err(fault("the head of the request is too long"));
            }
            let line = line.trim_end();
            if line.is_empty() {
                break;
            }
            let (name, value) = line.split_once(':').unwrap_or((line, ""));
            let value = value.trim();
            match name.to_ascii_lowercase().as_str() {
                "content-length" => left = Left::Bytes(value.parse().map_err(|_| fault("content-length"))?),
                "transfer-encoding" if value.eq_ignore_ascii_case("chunked") => left = Left::FirstChunk,
                "expect" => expects = true,
                _ => {}
            }
        }
        if expects {
            self.stream.get_mut().write_all(b"HTTP/1.1 100 Continue\r\n\r\n").await?;
        }
        Ok(Some(Body { stream: &mut self.stream, left }))
    }

    pub async fn answer(&mut self, content_type: &str, body: &[u8]) -> io::Result<()> {
        let length = body.len();
        let head = format!("HTTP/1.1 200 OK\r\nContent-Type: {content_type}\r\nContent-Length: {length}\r\n\r\n");
        let stream = self.stream.get_mut();
        stream.write_all(head.as_bytes()).await?;
        stream.write_all(body).await?;
        stream.flush().await
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Body<'_, S> {
    /// The next piece; empty at the end.
    pub async fn next(&mut self) -> io::Result<Vec<u8>> {
        loop {
            match self.left {
                Left::Nothing | Left::Bytes(0) => return Ok(Vec::new()),
                Left::Bytes(left) => {
                    let piece = self.piece(left).await?;
                    self.left = Left::Bytes(left - piece.len() as u64);
                    return Ok(piece);
                }
                Left::FirstChunk => self.left = self.chunk_size().await?,
                Left::Chunk(0) => {
                    self.line().await?; // the line end behind a chunk
                    self.left = self.chunk_size().await?;
                }
                Left::Chunk(left) => {
                    let piece = self.piece(left).await?;
                    self.left = Left::Chunk(left - piece.len() as u64);
                    return Ok(piece);
                }
            }
        }
    }

    pub async fn drain(&mut self) -> io::Result<()> {
        while !self.next().await?.is_empty() {}
        Ok(())
    }

    async fn piece(&mut self, left: u64) -> io::Result<Vec<u8>> {
        let most = usize::try_from(left).unwrap_or(CHUNK_BYTES).min(CHUNK_BYTES);
        let mut piece = vec![0; most];
        let read = self.stream.read(&mut piece).await?;
        if read == 0 {
            return Err(fault("the body ends early"));
        }
        piece.truncate(read);
        Ok(piece)
    }

    async fn line(&mut self) -> io::Result<String> {
        let mut line = String::new();
        self.stream.read_line(&mut line).await?;
        Ok(line.trim_end().to_owned())
    }

    async fn chunk_size(&mut self) -> io::Result<Left> {
        let line = self.line().await?;
        let digits = line.split(';').next().unwrap_or("").trim();
        match u64::from_str_radix(digits, 16).map_err(|_| fault("chunk size"))? {
            0 => {
                while !self.line().await?.is_empty() {} // trailers
                Ok(Left::Nothing)
            }
            size => Ok(Left::Chunk(size)),
        }
    }
}
