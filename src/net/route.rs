//! Routes as a table, so that what is served and what is documented can be held against each other.

use axum::{
    Router,
    handler::Handler,
    routing::{MethodFilter, MethodRouter},
};

/// One path and what answers there.
#[derive(Debug, Clone)]
pub struct Route {
    path: &'static str,
    methods: Vec<&'static str>,
    handler: MethodRouter,
}

impl Route {
    /// A path without any method yet, in axum's syntax: `/api/cameras/{id}`.
    pub fn at(path: &'static str) -> Self {
        Self { path, methods: Vec::new(), handler: MethodRouter::new() }
    }

    /// Answers GET, and HEAD by it.
    pub fn get<H, T, S>(self, handler: H, state: &S) -> Self
    where
        H: Handler<T, S>,
        T: 'static,
        S: Clone + Send + Sync + 'static,
    {
        self.on("get", MethodFilter::GET, handler, state)
    }

    /// Answers POST and PUT alike.
    pub fn push<H, T, S>(self, handler: H, state: &S) -> Self
    where
        H: Handler<T, S>,
        T: 'static,
        S: Clone + Send + Sync + 'static,
    {
        let both = self.on("post", MethodFilter::POST, handler.clone(), state);
        both.on("put", MethodFilter::PUT, handler, state)
    }

    fn on<H, T, S>(
        mut self,
        name: &'static str,
        method: MethodFilter,
        handler: H,
        state: &S,
    ) -> Self
    where
        H: Handler<T, S>,
        T: 'static,
        S: Clone + Send + Sync + 'static,
    {
        self.methods.push(name);
        let one = MethodRouter::new().on(method, handler).with_state(state.clone());
        self.handler = self.handler.merge(one);
        self
    }

    /// The path.
    pub fn path(&self) -> &'static str {
        self.path
    }

    /// The methods in lower case, as OpenAPI names them.
    pub fn methods(&self) -> &[&'static str] {
        &self.methods
    }

    /// A router of all of them.
    pub fn router(routes: Vec<Self>) -> Router {
        routes.into_iter().fold(Router::new(), |router, it| router.route(it.path, it.handler))
    }
}
