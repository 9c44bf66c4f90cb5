//! One error → status mapping for every HTTP door.

use axum::{
    Json,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde_json::json;

/// An error as a client of any HTTP route sees it: `{"error":{"code","message"}}`.
///
/// The status follows from the code; the table is in `docs/protocol.md`, *Errors*.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiError {
    /// Stable, for programs.
    pub code: &'static str,
    /// What to do, for people.
    pub message: String,
}

impl ApiError {
    /// Pairs a code of the table with a message.
    pub fn new(code: &'static str, message: impl Into<String>) -> Self {
        Self { code, message: message.into() }
    }

    /// The camera is not configured, and was never published here or is forgotten.
    pub fn unknown_camera(id: &str) -> Self {
        let shown: String = id.chars().take(65).collect();
        let message = format!(
            "camera not configured: {shown:?}; nor was it ever published here, or it is forgotten; \
             /api/cameras lists those known"
        );
        Self::new("unknown_camera", message)
    }

    /// The status that goes with the code.
    pub fn status(&self) -> StatusCode {
        match self.code {
            "bad_camera_id" | "bad_request" | "bad_message" | "bad_part" => StatusCode::BAD_REQUEST,
            "forbidden_origin" | "forbidden_address" => StatusCode::FORBIDDEN,
            "unknown_camera" | "not_configured" | "no_video" | "not_in_cache" | "not_found" => {
                StatusCode::NOT_FOUND
            }
            "method_not_allowed" => StatusCode::METHOD_NOT_ALLOWED,
            "precondition_failed" => StatusCode::PRECONDITION_FAILED,
            "precondition_required" => StatusCode::PRECONDITION_REQUIRED,
            "timeout" => StatusCode::REQUEST_TIMEOUT,
            "replaced" | "camera_exists" | "not_pulled" => StatusCode::CONFLICT,
            "too_large" => StatusCode::PAYLOAD_TOO_LARGE,
            "unsupported_media_type" | "unsupported_codec" => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "upgrade_required" => StatusCode::UPGRADE_REQUIRED,
            "no_pictures" | "not_jpeg" | "truncated" | "unsupported_jpeg" | "too_many_pixels"
            | "refused_source" | "not_scaled" | "ice_restart" => StatusCode::UNPROCESSABLE_ENTITY,
            "at_capacity" | "busy" | "camera_offline" | "stale" | "too_many_cameras"
            | "draining" | "catalog_failed" => StatusCode::SERVICE_UNAVAILABLE,
            _ => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let status = self.status();
        let body = Json(json!({"error": {"code": self.code, "message": self.message}}));
        let mut response = (status, body).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if status == StatusCode::SERVICE_UNAVAILABLE {
            headers.insert(header::RETRY_AFTER, HeaderValue::from_static("2"));
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_of_the_protocol_page_has_its_status() {
        let page = include_str!("../../docs/protocol.md");
        let errors = page.split("## Errors").nth(1).unwrap();
        let mut checked = 0;
        for row in errors.lines().filter(|line| line.starts_with("| `")) {
            let cells: Vec<_> = row.trim_matches('|').split('|').map(str::trim).collect();
            let codes = cells[0].split(", ").map(|code| code.trim_matches('`'));
            for (code, status) in codes.zip(cells[1].split(", ").cycle()) {
                if let Ok(status) = status.parse::<u16>() {
                    let code: &'static str = code.to_owned().leak();
                    assert_eq!(ApiError::new(code, "").status().as_u16(), status, "{code}");
                    checked += 1;
                }
            }
        }
        assert!(checked >= 12, "the table was not read");
    }
}
