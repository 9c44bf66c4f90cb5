//! `/api/openapi.json`: the routes of `rest`'s table, WHEP, and HTTP push of the ingest port.

use axum::{Json, extract::State};
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{
        ComponentsBuilder, ContentBuilder, InfoBuilder, ObjectBuilder, OpenApi, OpenApiBuilder,
        Paths, Ref, RefOr, Required, ResponseBuilder,
        path::{HttpMethod, Operation, OperationBuilder, ParameterBuilder, ParameterIn},
        request_body::RequestBodyBuilder,
        schema::Schema,
        server::{ServerBuilder, ServerVariableBuilder},
    },
};

use super::{
    answers, catalog, links, requests,
    rest::{Rest, table},
    whep,
};

/// The description of this API, OpenAPI 3.1.
#[utoipa::path(
    get,
    operation_id = "get_description",
    path = "/api/openapi.json",
    responses((status = 200, description = "This document", body = Object))
)]
pub(super) async fn document(State(rest): State<Rest>) -> Json<OpenApi> {
    Json(describe(rest.ingest_port))
}

const ABOUT: &str = "Live camera relay. Live pictures also come over the WebSocket `/stream`, \
                     which this format cannot describe; see docs/protocol.md.";

fn describe(ingest_port: u16) -> OpenApi {
    let mut paths = Paths::new();
    for route in table() {
        paths.add_path_operation(route.path, vec![route.method], route.operation);
    }
    for (path, method, operation) in whep::routes::described() {
        paths.add_path_operation(path, vec![method], operation);
    }
    for (method, name) in [(HttpMethod::Post, "publish"), (HttpMethod::Put, "publish_by_put")] {
        paths.add_path_operation("/publish/{camera}", vec![method], push(name, ingest_port));
    }
    let info = InfoBuilder::new()
        .title("framecast")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some(ABOUT));
    let mut schemas = Vec::new();
    add::<answers::Cameras>(&mut schemas);
    add::<answers::CachedFrames>(&mut schemas);
    add::<answers::Stats>(&mut schemas);
    add::<answers::Info>(&mut schemas);
    add::<catalog::Presets>(&mut schemas);
    add::<catalog::Provisioned>(&mut schemas);
    add::<requests::NewCamera>(&mut schemas);
    add::<requests::CameraPatch>(&mut schemas);
    add::<requests::ProvisionRequest>(&mut schemas);
    add::<requests::StreamStart>(&mut schemas);
    add::<requests::TrialRequest>(&mut schemas);
    add::<links::StreamStatus>(&mut schemas);
    add::<links::StreamHealth>(&mut schemas);
    add::<links::Trial>(&mut schemas);
    add::<answers::ErrorAnswer>(&mut schemas);
    let components = ComponentsBuilder::new().schemas_from_iter(schemas).build();
    OpenApiBuilder::new().info(info).paths(paths).components(Some(components)).build()
}

/// A type's schema and those it refers to.
fn add<T: ToSchema>(schemas: &mut Vec<(String, RefOr<Schema>)>) {
    schemas.push((T::name().into_owned(), T::schema()));
    T::schemas(schemas);
}

/// HTTP push, which the ingest side serves; from here it is only pointed to.
fn push(name: &str, ingest_port: u16) -> Operation {
    let host = ServerVariableBuilder::new().default_value("localhost");
    let server = ServerBuilder::new()
        .url(format!("http://{{host}}:{ingest_port}"))
        .description(Some("The ingest port"))
        .parameter("host", host);
    let parameter = |name: &str, place, required, about: &str| {
        ParameterBuilder::new()
            .name(name)
            .parameter_in(place)
            .required(required)
            .description(Some(about))
            .schema(Some(String::schema()))
    };
    let id = "The camera to publish; it need not exist";
    let title = "The camera's name for people; the id without one";
    let body = [
        ("image/jpeg", "One frame"),
        ("multipart/x-mixed-replace", "One frame a part, until the body ends"),
        ("video/x-motion-jpeg", "JPEGs one after the other, or multipart, told by the first bytes"),
    ];
    let body = body.into_iter().fold(RequestBodyBuilder::new(), |request, (kind, about)| {
        let schema = described(answers::Binary::schema(), about);
        request.content(kind, ContentBuilder::new().schema(Some(schema)).build())
    });
    let published = ObjectBuilder::new()
        .property("camera", String::schema())
        .property("seq", described(u64::schema(), "`image/jpeg`: the camera's number for it"))
        .property("frames", described(u64::schema(), "Endless bodies: how many were published"))
        .property(
            "refused",
            ObjectBuilder::new()
                .description(Some("Endless bodies: how many were not, by error code"))
                .additional_properties(Some(u64::schema())),
        )
        .required("camera");
    let published = ContentBuilder::new().schema(Some(published)).build();
    let operation = OperationBuilder::new()
        .operation_id(Some(name))
        .tag("publish")
        .summary(Some("Publish a camera over HTTP"))
        .description(Some(
            "The camera stays online 10 s after the last single picture, or as long as the \
             endless body. A refused frame inside an endless body is counted and skipped.",
        ))
        .servers(Some([server.build()]))
        .parameter(parameter("camera", ParameterIn::Path, Required::True, id))
        .parameter(parameter("name", ParameterIn::Query, Required::False, title))
        .request_body(Some(body.required(Some(Required::True)).build()))
        .response(
            "200",
            ResponseBuilder::new()
                .description("Taken; for an endless body when it has ended")
                .content("application/json", published),
        );
    let errors = [
        ("400", "`bad_camera_id`, `bad_request`"),
        ("403", "`forbidden_origin`"),
        ("408", "`timeout`: no bytes for 10 s"),
        ("409", "`replaced`: a newer publisher took the camera"),
        ("413", "`too_large`"),
        ("422", "`not_jpeg`, `truncated`, `unsupported_jpeg`, `too_many_pixels`"),
        ("503", "`too_many_cameras`, `draining`"),
    ];
    let operation = errors.into_iter().fold(operation, |operation, (status, about)| {
        let schema = Ref::from_schema_name(answers::ErrorAnswer::name());
        let content = ContentBuilder::new().schema(Some(schema)).build();
        let response = ResponseBuilder::new().description(about);
        operation.response(status, response.content("application/json", content))
    });
    operation.build()
}

fn described(schema: RefOr<Schema>, about: &str) -> RefOr<Schema> {
    match schema {
        RefOr::T(Schema::Object(mut object)) => {
            object.description = Some(about.to_owned());
            RefOr::T(Schema::Object(object))
        }
        other => other,
    }
}
