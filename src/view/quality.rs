//! `?width=` and `?quality=`: which of a camera's sizes a request is for.

use std::num::NonZeroU32;

use serde::Deserialize;
use utoipa::IntoParams;

use crate::{net::ApiError, relay::Quality};

/// The part of a query that says how large a picture is wanted. It is never enlarged.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct SizeQuery {
    /// Pixels across, at least, so far as the camera has them: the picture is 320, 480, 640, 960, 1280
    /// or 1920 wide, or as published. Not together with `quality`.
    #[param(value_type = Option<u32>, minimum = 1)]
    width: Option<NonZeroU32>,
    /// `source` as published, which is the default; `high` at most 1280 pixels wide, `medium` 640,
    /// `low` 320 and in streams at most 10 frames a second.
    #[param(pattern = "^(source|high|medium|low)$")]
    quality: Option<String>,
}

impl SizeQuery {
    /// What it asks for.
    pub(super) fn quality(&self) -> Result<Quality, ApiError> {
        let bad = |message: &str| Err(ApiError::new("bad_request", message));
        match (self.width, self.quality.as_deref()) {
            (None, None) => Ok(Quality::Source),
            (Some(_), Some(_)) => bad("query parameter width: not together with quality"),
            (Some(width), None) => Ok(Quality::at_least(width.get())),
            (None, Some(name)) => Quality::named(name).map_or_else(
                || bad("query parameter quality: use source, high, medium or low"),
                Ok,
            ),
        }
    }
}
