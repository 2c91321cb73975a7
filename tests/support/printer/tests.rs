//! The simulated printer does what it is told, seen from a client's side of a real socket.

use super::*;
use crate::documents;
use proto::ipp::Message;
use proto::ipp::upstream::{PrinterStatus, UpstreamJob, UpstreamJobStatus, UpstreamRequest, decode_answer, is_success};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

async fn ask(printer: &Printer, request: &UpstreamRequest, document: &[u8]) -> io::Result<Message> {
    let mut stream = TcpStream::connect(printer.address()).await?;
    let mut body = request.encode(&printer.uri(), 3);
    body.extend(document);
    let head = format!("POST {PATH} HTTP/1.1\r\nHost: printer\r\nContent-Length: {}\r\n\r\n", body.len());
    stream.write_all(head.as_bytes()).await?;
    stream.write_all(&body).await?;
    let mut answer = Vec::new();
    let mut head_bytes = None;
    loop {
        let mut piece = [0; 4_096];
        let read = stream.read(&mut piece).await?;
        if read == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        answer.extend(&piece[..read]);
        if head_bytes.is_none() {
            head_bytes = answer.windows(4).position(|window| window == b"\r\n\r\n").map(|at| at + 4);
        }
        if let Some(at) = head_bytes
            && let Ok(message) = decode_answer(&answer[at..], 3)
        {
            return Ok(message);
        }
    }
}

fn print_job() -> UpstreamRequest {
    let ticket = Ticket { copies: 2, ..Ticket::default() };
    let job = UpstreamJob { job_name: "job_1".to_owned(), format: DocumentFormat::Pdf, ticket };
    UpstreamRequest::PrintJob(Box::new(job))
}

async fn job(printer: &Printer) -> UpstreamJobStatus {
    let answer = ask(printer, &UpstreamRequest::GetJobAttributes { job_id: 1 }, &[]).await.expect("an answer");
    UpstreamJobStatus::first(&answer).expect("a job")
}

async fn printer(behaviour: Behaviour) -> Printer {
    let printer = Printer::start(behaviour).await;
    let document = documents::pdf(3);
    let answer = ask(&printer, &print_job(), &document).await.expect("an answer");
    assert!(is_success(&answer), "{answer:?}");
    printer
}

#[tokio::test]
async fn what_was_sent_comes_out_and_is_counted() {
    let printer = printer(Behaviour::default()).await;
    let done = printer.completed(1).await;
    assert_eq!(done[0].document, documents::pdf(3));
    assert_eq!((done[0].pages, done[0].printed, done[0].name.as_str()), (6, 6, "job_1"));
    assert_eq!(job(&printer).await.impressions_completed, Some(6));
    assert_eq!(printer.life_counter(), 1_006);
}

#[tokio::test]
async fn a_jam_lasts_until_it_is_cleared() {
    let printer = printer(Behaviour { fault: Fault::JamAtPage(2), ..Behaviour::default() }).await;
    printer.until(|jobs| jobs[0].state == JobState::ProcessingStopped).await;
    let stuck = job(&printer).await;
    assert_eq!((stuck.state, stuck.impressions_completed), (Some(JobState::ProcessingStopped), Some(2)));
    let answer = ask(&printer, &UpstreamRequest::GetPrinterAttributes, &[]).await.expect("an answer");
    let status = PrinterStatus::read(&answer).expect("a printer");
    assert_eq!(status.state, Some(PrinterState::Stopped));
    assert_eq!(status.state_reasons, ["media-jam-error"]);
    assert!(Capabilities::from_printer(&answer).is_some_and(|known| known.colour && known.duplex));
    printer.clear_jam();
    assert_eq!(printer.completed(1).await[0].printed, 6);
}

#[tokio::test]
async fn a_jammed_job_can_be_cancelled() {
    let printer = printer(Behaviour { fault: Fault::JamAtPage(1), ..Behaviour::default() }).await;
    printer.until(|jobs| jobs[0].state == JobState::ProcessingStopped).await;
    let answer = ask(&printer, &UpstreamRequest::CancelJob { job_id: 1 }, &[]).await.expect("an answer");
    assert!(is_success(&answer));
    assert_eq!(job(&printer).await.state, Some(JobState::Canceled));
}

#[tokio::test]
async fn counters_are_honest_silent_or_lying_as_told() {
    for (counting, said) in [(Counting::Silent, None), (Counting::Lies(99), Some(99)), (Counting::Lies(0), Some(0))] {
        let printer = printer(Behaviour { counting, ..Behaviour::default() }).await;
        printer.completed(1).await;
        assert_eq!(job(&printer).await.impressions_completed, said);
    }
}

#[tokio::test]
async fn power_fails_in_the_middle_of_a_document() {
    let printer = Printer::start(Behaviour { fault: Fault::PowerLossAtByte(1_000), ..Behaviour::default() }).await;
    let document = documents::pdf_on(documents::A4, 3, 3_000_000);
    let lost = ask(&printer, &print_job(), &document).await.map_err(|error| error.kind());
    assert!(matches!(lost, Err(io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe)), "{lost:?}");
    assert!(ask(&printer, &UpstreamRequest::GetJobs, &[]).await.is_err(), "it is off");
    printer.power_on();
    let answer = ask(&printer, &UpstreamRequest::GetJobs, &[]).await.expect("it is back");
    assert!(UpstreamJobStatus::all(&answer).is_empty(), "and has forgotten");
}

#[tokio::test]
async fn power_fails_in_the_middle_of_a_job() {
    let printer = printer(Behaviour { fault: Fault::PowerLossAtPage(2), ..Behaviour::default() }).await;
    printer.until(<[Job]>::is_empty).await;
    assert!(ask(&printer, &UpstreamRequest::GetJobs, &[]).await.is_err());
    assert_eq!(printer.life_counter(), 1_002);
}

#[tokio::test]
async fn a_job_is_given_up_or_not_taken_at_all_as_told() {
    let printer = printer(Behaviour { fault: Fault::AbortAtPage(4), ..Behaviour::default() }).await;
    printer.until(|jobs| jobs[0].state == JobState::Aborted).await;
    assert_eq!(job(&printer).await.impressions_completed, Some(4));
    printer.change(|behaviour| behaviour.fault = Fault::Busy);
    let answer = ask(&printer, &print_job(), &documents::pdf(1)).await.expect("an answer");
    assert_eq!(answer.status(), Some(proto::ipp::StatusCode::ServerErrorBusy));
}
