//! The real binary with a data folder, and its API as a client sees it.

#![allow(dead_code, reason = "each test file uses its part")]

use std::path::Path;

use serde_json::{Value, json};

use crate::binary::{FREE, Server, framecast};

/// Started on free ports; killed when dropped.
pub struct CatalogServer {
    pub process: Server,
    pub ingest: String,
    pub view: String,
    client: reqwest::Client,
}

/// What came back: body as JSON, null if there is none.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: reqwest::header::HeaderMap,
    pub text: String,
    pub json: Value,
}

impl Answer {
    /// (status, code) of an error, whose message has some words.
    pub fn error(&self) -> (u16, &str) {
        assert!(self.message().len() > 10, "{}", self.text);
        (self.status, self.json["error"]["code"].as_str().unwrap())
    }

    pub fn message(&self) -> &str {
        let message = self.json["error"]["message"].as_str();
        message.unwrap_or_else(|| panic!("{} {}", self.status, self.text))
    }
}

impl CatalogServer {
    /// Flags given twice are an error, so none of `FREE` can be among them.
    pub fn start(dir: &Path, flags: &[&str]) -> Self {
        let mut command = framecast(flags);
        command.arg("--data-dir").arg(dir).args(FREE);
        let process = Server::start(command);
        let ingest = process.addr("framecast capture page  ");
        let view = process.addr("framecast viewer page   ");
        Self { process, ingest, view, client: reqwest::Client::new() }
    }

    /// Ends it as an operator does and starts it again with the same folder.
    pub fn restart(mut self, dir: &Path, flags: &[&str]) -> Self {
        self.process.signal("TERM");
        assert_eq!(self.process.ended().0, Some(0));
        Self::start(dir, flags)
    }

    /// A request as it is, from its headers to its body.
    pub async fn send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> Result<Answer, reqwest::Error> {
        let url = format!("http://{}{path}", self.view);
        let request = self.client.request(method.parse().unwrap(), url).body(body.to_owned());
        let request =
            headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
        let answer = request.send().await?;
        let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
        let text = String::from_utf8_lossy(&answer.bytes().await?).into_owned();
        let json = serde_json::from_str(&text).unwrap_or_default();
        Ok(Answer { status, headers, text, json })
    }

    pub async fn tell(&self, method: &str, path: &str, body: &Value) -> Answer {
        self.send(method, path, &[], &body.to_string()).await.unwrap()
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.send("GET", path, &[], "").await.unwrap()
    }

    /// What is configured of each camera, without what changes by itself.
    pub async fn configured(&self) -> Vec<Value> {
        let list = self.get("/api/cameras").await;
        list.json["cameras"].as_array().unwrap().iter().map(configured).collect()
    }

    /// `server.catalog` of `/api/stats`.
    pub async fn catalog(&self) -> Value {
        self.get("/api/stats").await.json["server"]["catalog"].clone()
    }
}

/// The fields of an answer that somebody set.
pub fn configured(camera: &Value) -> Value {
    let fields = [
        "id",
        "name",
        "location",
        "source",
        "on_demand",
        "max_viewers",
        "rtsp_transport",
        "jpeg_fps",
        "substream_url",
    ];
    let mut set = json!({});
    for field in fields {
        set[field] = camera.get(field).unwrap_or_else(|| panic!("no {field}: {camera}")).clone();
    }
    set
}
