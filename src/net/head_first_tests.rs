//! Tests of who reads what of a request.

use std::time::Duration;

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex},
    time::timeout,
};

use super::*;

const HEAD: &[u8] = b"POST /x HTTP/1.1\r\nHost: x\r\n\r\n";

fn pair() -> (HeadFirst<DuplexStream>, DuplexStream) {
    let (here, there) = duplex(1 << 16);
    (HeadFirst::new(here), there)
}

/// What HTTP gets before it has to wait.
async fn got(http: &mut HeadFirst<DuplexStream>) -> Vec<u8> {
    let mut got = Vec::new();
    while let Ok(Ok(1..)) = timeout(Duration::from_millis(1), http.read_buf(&mut got)).await {}
    got
}

async fn rest(body: &Taken<DuplexStream>) -> Vec<u8> {
    let mut room = vec![0; 100];
    let read = std::future::poll_fn(|cx| {
        let mut out = ReadBuf::new(&mut room);
        ready!(body.poll_read(cx, &mut out))?;
        Poll::Ready(io::Result::Ok(out.filled().len()))
    });
    let read = read.await.unwrap();
    room[..read].to_vec()
}

#[tokio::test(start_paused = true)]
async fn a_body_that_is_taken_over_comes_whole_however_its_head_comes() {
    for head in [HEAD, b"PUT / HTTP/1.1\nHost: x\n\n", b"\r\nPOST / HTTP/1.1\r\n\r\n"] {
        for cut in 0..=head.len() {
            let (mut http, mut client) = pair();
            client.write_all(&head[..cut]).await.unwrap();
            let mut seen = got(&mut http).await;
            client.write_all(&head[cut..]).await.unwrap();
            client.write_all(b"body").await.unwrap();
            seen.extend(got(&mut http).await);
            if !head.starts_with(b"P") {
                // Unusual, so it goes through HTTP.
                assert_eq!(seen, [head, b"body"].concat());
                assert!(http.bodies().undecided().is_none());
                continue;
            }
            assert_eq!(seen, head, "cut at {cut}");
            let body = http.bodies().undecided().unwrap().take().unwrap();
            assert_eq!(body.begun(), if cut == head.len() { &b""[..] } else { b"body" });
            client.write_all(b", and more").await.unwrap();
            let more = rest(&body).await;
            assert!(more.ends_with(b", and more"));
            assert_eq!(got(&mut http).await, b"", "HTTP never reads again");
            http.write_all(b"answer").await.unwrap();
            client.read_exact(&mut [0; 6]).await.unwrap();
        }
    }
}

#[tokio::test(start_paused = true)]
async fn http_gets_a_body_that_nobody_takes_over_and_all_that_follows() {
    let (mut http, mut client) = pair();
    client.write_all(&[HEAD, b"begun"].concat()).await.unwrap();
    assert_eq!(got(&mut http).await, HEAD);
    let undecided = http.bodies().undecided().unwrap();
    let reading = async {
        let mut two = [0; 2];
        http.read_exact(&mut two).await.unwrap();
        two
    };
    let deciding = async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        drop(undecided.clone());
        drop(undecided);
    };
    assert_eq!(tokio::join!(reading, deciding).0, *b"be");
    client.write_all(HEAD).await.unwrap();
    assert_eq!(got(&mut http).await, [b"gun", HEAD].concat());
    assert!(http.bodies().undecided().is_none(), "later requests go through HTTP");
}

#[tokio::test(start_paused = true)]
async fn a_request_without_a_body_is_read_on() {
    let (mut http, mut client) = pair();
    client.write_all(b"GET / HTTP/1.1\r\n\r\nmore").await.unwrap();
    assert_eq!(got(&mut http).await, b"GET / HTTP/1.1\r\n\r\nmore");
    assert!(http.bodies().undecided().is_none());
    assert!(http.into_inner().is_some());
}
