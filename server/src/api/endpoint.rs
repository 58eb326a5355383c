//! An endpoint: where it is, who may use it, what it takes, what it answers, and what it does. From the list of all endpoints both
//! the router and the OpenAPI document are made, so that neither can say what the other does not.

use axum::{
    handler::Handler,
    http::Method,
    routing::{MethodFilter, MethodRouter, on},
};
use schemars::{JsonSchema, Schema, SchemaGenerator};

use crate::{access::Scope, app::App};

/// Makes the schema of a type, with what it refers to.
pub(crate) type MakeSchema = fn(&mut SchemaGenerator) -> Schema;

/// One method of one path.
pub(crate) struct Endpoint {
    pub(crate) method: Method,
    /// Below `/api/v1`: `/plans/{id}:run`.
    pub(crate) path: &'static str,
    /// Unique among all: `run_plan`.
    pub(crate) operation: &'static str,
    /// What it does, in one line.
    pub(crate) summary: &'static str,
    /// What else there is to know.
    pub(crate) notes: &'static str,
    /// What one who asks must be allowed; `None` for anybody.
    pub(crate) scope: Option<Scope>,
    /// Whether it changes something: then the audit log tells of it, if it is no `GET`.
    pub(crate) changes: bool,
    /// The schema of an object whose fields are the parameters of the query.
    pub(crate) query: Option<MakeSchema>,
    /// Parameters of the path that are no UUIDs: name and schema.
    pub(crate) path_schemas: Vec<(&'static str, MakeSchema)>,
    /// Header fields that it listens to: name, description, whether they must be there.
    pub(crate) headers: Vec<(&'static str, &'static str, bool)>,
    /// What it takes: media types and schemas; whether a body must be there.
    pub(crate) bodies: Vec<(&'static str, MakeSchema)>,
    pub(crate) body_is_required: bool,
    /// What it answers when it does what it is asked.
    pub(crate) answers: Vec<Answer>,
    /// Statuses of problems beside those that every endpoint has.
    pub(crate) problems: Vec<u16>,
    pub(crate) handler: MethodRouter<App>,
}

/// One answer that is no problem.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) description: &'static str,
    /// The media type and, for JSON, the schema.
    pub(crate) content: Option<(&'static str, Option<MakeSchema>)>,
    /// Header fields: name and description.
    pub(crate) headers: Vec<(&'static str, &'static str)>,
}

fn schema_of<T: JsonSchema>(generator: &mut SchemaGenerator) -> Schema {
    generator.subschema_for::<T>()
}

impl Endpoint {
    fn new<H: Handler<T, App>, T: 'static>(
        method: Method,
        filter: MethodFilter,
        (path, operation, summary): (&'static str, &'static str, &'static str),
        handler: H,
    ) -> Self {
        Self {
            method,
            path,
            operation,
            summary,
            notes: "",
            scope: Some(Scope::Admin),
            changes: true,
            query: None,
            path_schemas: Vec::new(),
            headers: Vec::new(),
            bodies: Vec::new(),
            body_is_required: true,
            answers: Vec::new(),
            problems: Vec::new(),
            handler: on(filter, handler),
        }
    }

    /// `GET`, with the scope `read` unless it says otherwise: path, operation, summary.
    pub(crate) fn get<H: Handler<T, App>, T: 'static>(
        path: &'static str,
        operation: &'static str,
        summary: &'static str,
        handler: H,
    ) -> Self {
        Self::new(Method::GET, MethodFilter::GET, (path, operation, summary), handler).scope(Scope::Read)
    }

    /// `POST`, with the scope `admin` unless it says otherwise.
    pub(crate) fn post<H: Handler<T, App>, T: 'static>(
        path: &'static str,
        operation: &'static str,
        summary: &'static str,
        handler: H,
    ) -> Self {
        Self::new(Method::POST, MethodFilter::POST, (path, operation, summary), handler)
    }

    /// `PUT`, with the scope `admin`. It wants `If-Match`.
    pub(crate) fn put<H: Handler<T, App>, T: 'static>(
        path: &'static str,
        operation: &'static str,
        summary: &'static str,
        handler: H,
    ) -> Self {
        Self::new(Method::PUT, MethodFilter::PUT, (path, operation, summary), handler)
            .header("If-Match", "the ETag of the version that is to be replaced", true)
            .problems(&[412, 428])
    }

    /// `DELETE`, with the scope `admin`.
    pub(crate) fn delete<H: Handler<T, App>, T: 'static>(
        path: &'static str,
        operation: &'static str,
        summary: &'static str,
        handler: H,
    ) -> Self {
        Self::new(Method::DELETE, MethodFilter::DELETE, (path, operation, summary), handler)
    }

    /// What one who asks must be allowed.
    pub(crate) fn scope(mut self, scope: Scope) -> Self {
        self.scope = Some(scope);
        self
    }

    /// It only looks, though it is no `GET`.
    pub(crate) fn changes_nothing(mut self) -> Self {
        self.changes = false;
        self
    }

    /// What else there is to know.
    pub(crate) fn notes(mut self, notes: &'static str) -> Self {
        self.notes = notes;
        self
    }

    /// The parameters of the query, as the fields of `T`.
    pub(crate) fn query<T: JsonSchema>(mut self) -> Self {
        self.query = Some(schema_of::<T>);
        self
    }

    /// A parameter of the path that is no UUID.
    pub(crate) fn path_is<T: JsonSchema>(mut self, name: &'static str) -> Self {
        self.path_schemas.push((name, schema_of::<T>));
        self
    }

    /// A header field that it listens to.
    pub(crate) fn header(mut self, name: &'static str, description: &'static str, is_required: bool) -> Self {
        self.headers.push((name, description, is_required));
        self
    }

    /// What it takes, as JSON.
    pub(crate) fn body<T: JsonSchema>(self) -> Self {
        self.body_of::<T>("application/json")
    }

    /// What it takes, as another media type. It may take several.
    pub(crate) fn body_of<T: JsonSchema>(mut self, media_type: &'static str) -> Self {
        self.bodies.push((media_type, schema_of::<T>));
        self
    }

    /// The body may be left out.
    pub(crate) fn optional_body(mut self) -> Self {
        self.body_is_required = false;
        self
    }

    /// It answers with JSON.
    pub(crate) fn answer<T: JsonSchema>(self, status: u16, description: &'static str) -> Self {
        self.push_answer(status, description, Some(("application/json", Some(schema_of::<T>))))
    }

    /// It answers with another media type.
    pub(crate) fn answer_of(self, status: u16, description: &'static str, media_type: &'static str) -> Self {
        self.push_answer(status, description, Some((media_type, None)))
    }

    /// It answers without a body.
    pub(crate) fn answer_empty(self, status: u16, description: &'static str) -> Self {
        self.push_answer(status, description, None)
    }

    fn push_answer(
        mut self,
        status: u16,
        description: &'static str,
        content: Option<(&'static str, Option<MakeSchema>)>,
    ) -> Self {
        self.answers.push(Answer { status, description, content, headers: Vec::new() });
        self
    }

    /// The last answer carries this header field.
    pub(crate) fn with_header(mut self, name: &'static str, description: &'static str) -> Self {
        if let Some(answer) = self.answers.last_mut() {
            answer.headers.push((name, description));
        }
        self
    }

    /// The last answer carries the entity tag of what it tells.
    pub(crate) fn with_etag(self) -> Self {
        self.with_header("ETag", "the version that this is; to be given as If-Match by who changes it")
    }

    /// Statuses of problems beside those that every endpoint of its kind has: 400 for a query, a path, a body; 401 and 403; 404 for
    /// a path with an id; 413, 415 and 422 for a body; 421 for a name that is not ours; 429, 500 and 503.
    pub(crate) fn problems(mut self, statuses: &[u16]) -> Self {
        self.problems.extend(statuses);
        self
    }

    /// All statuses of problems that it can answer with.
    pub(crate) fn all_problems(&self) -> Vec<u16> {
        let mut statuses = self.problems.clone();
        statuses.extend([400, 405, 421, 429, 500, 503]);
        if self.scope.is_some() {
            statuses.extend([401, 403]);
        }
        if self.path.contains('{') {
            statuses.push(404);
        }
        if !self.bodies.is_empty() {
            statuses.extend([408, 413, 415, 422]);
        }
        statuses.sort_unstable();
        statuses.dedup();
        statuses
    }

    /// The path as the router has it: a verb is a segment of its own there (see `verbs`).
    pub(crate) fn route(&self) -> String {
        super::verbs::as_route(self.path)
    }
}
