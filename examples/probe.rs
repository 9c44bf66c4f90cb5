//! scratch
use axum::{
    Router,
    extract::State,
    response::Html,
    routing::{get, post},
};
use framecast::ingest::webrtc::*;
use std::sync::Arc;
use std::time::Instant;
struct S {
    port: Port,
}
#[tokio::main]
async fn main() {
    tracing_subscriber::fmt()
        .with_env_filter(tracing_subscriber::EnvFilter::from_default_env())
        .init();
    let bind = std::env::args().nth(1).unwrap_or("0.0.0.0:8090".into());
    let socket = std::net::UdpSocket::bind(&bind).unwrap();
    let c = Candidates::local(socket.local_addr().unwrap());
    println!("{:?}", c.addresses());
    let s = Arc::new(S { port: Port::new(socket, c).unwrap() });
    let app = Router::new()
        .route("/", get(|| async { Html("<html></html>") }))
        .route(
            "/offer",
            post(async |State(s): State<Arc<S>>, body: String| {
                let t = Instant::now();
                let (mut session, answer) =
                    Session::answer(&s.port, &body, Opener::Server(Reliability::default()))
                        .await
                        .unwrap();
                let a = t.elapsed();
                tokio::spawn(async move {
                    let t = Instant::now();
                    let mut n = 0;
                    let mut bytes = 0;
                    loop {
                        match session.next().await {
                            Event::Binary(b) => {
                                n += 1;
                                bytes += b.len();
                                if n == 1 {
                                    println!(
                                        "answer took {a:?}; first message {} bytes after {:?}",
                                        b.len(),
                                        t.elapsed()
                                    );
                                }
                            }
                            Event::Opened(_) => println!("open after {:?}", t.elapsed()),
                            Event::Ended(e) => {
                                println!(
                                    "ended {e} after {n} messages {bytes} bytes; {:?}",
                                    s.port.stats()
                                );
                                break;
                            }
                            e => println!("{e:?}"),
                        }
                    }
                });
                answer
            }),
        )
        .with_state(s);
    let l = tokio::net::TcpListener::bind("127.0.0.1:8090").await.unwrap();
    axum::serve(l, app).await.unwrap();
}
