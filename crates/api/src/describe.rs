//! The OpenAPI description, from the types of the handlers themselves: what a handler takes and
//! answers is what is described.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::Arc;

use axum::Router;
use axum::extract::{Extension, State};
use axum::handler::Handler;
use axum::http::{HeaderMap, Method};
use axum::routing::{MethodFilter, on};
use utoipa::openapi::path::{
    HttpMethod, Operation, OperationBuilder, Parameter, ParameterBuilder, ParameterIn,
};
use utoipa::openapi::request_body::RequestBodyBuilder;
use utoipa::openapi::response::ResponseBuilder;
use utoipa::openapi::schema::{ObjectBuilder, SchemaType, Type};
use utoipa::openapi::security::SecurityRequirement;
use utoipa::openapi::{ContentBuilder, Paths, Ref, RefOr, Required, Schema};
use utoipa::{IntoParams, ToSchema};

use crate::answer::{Again, Created, Document, Json, NoContent, SignedIn, SignedOut, Stream};
use crate::api::Api;
use crate::caller::{By, Ends, Needs};
use crate::calls::once::Approver;
use crate::gate::may_repeat;
use crate::input::{Body, Name, Number, Query};
use crate::problem::{Document as ProblemDocument, MEDIA_TYPE, Problem};
use crate::signed::{ID, SIGNATURE, Signed, TIMESTAMP};

/// Names of the ways to sign in.
pub const BEARER: &str = "bearer";
pub const COOKIE: &str = "cookie";

const JSON: &str = "application/json";

/// What is known of one call while its handler's types are looked at.
#[derive(Default)]
pub struct Sketch {
    /// Names in the path.
    names: Vec<String>,
    parameters: Vec<Parameter>,
    body: Option<RefOr<Schema>>,
    needs_somebody: bool,
    /// Status and content.
    answer: Option<(&'static str, Option<Content>)>,
    schemas: Schemas,
}

type Schemas = BTreeMap<String, RefOr<Schema>>;
/// Media type and schema.
type Content = (&'static str, Option<RefOr<Schema>>);

impl Sketch {
    /// A reference to a type's schema, which is kept.
    fn refer<T: ToSchema>(&mut self) -> RefOr<Schema> {
        let mut found = vec![(T::name().into_owned(), T::schema())];
        T::schemas(&mut found);
        leave_room_in_parts(&mut found);
        self.schemas.extend(found);
        Ref::from_schema_name(T::name()).into()
    }

    fn in_path(&mut self, schema: &Schema) {
        for name in std::mem::take(&mut self.names) {
            let parameter = ParameterBuilder::new()
                .name(name)
                .parameter_in(ParameterIn::Path)
                .required(Required::True)
                .schema(Some(schema.clone()));
            self.parameters.push(parameter.build());
        }
    }

    fn answers<T: ToSchema>(&mut self, status: &'static str) {
        let schema = self.refer::<T>();
        self.answer = Some((status, Some((JSON, Some(schema)))));
    }
}

/// A part of an `allOf` that takes no properties but its own refuses those of the other parts (JSON
/// Schema, core 10.3.2.3): a tagged message would fit no description of it.
fn leave_room_in_parts(schemas: &mut [(String, RefOr<Schema>)]) {
    let mut parts = Vec::new();
    for (_, schema) in schemas.iter() {
        let RefOr::T(Schema::OneOf(variants)) = schema else { continue };
        for variant in &variants.items {
            let RefOr::T(Schema::AllOf(variant)) = variant else { continue };
            parts.extend(variant.items.iter().filter_map(|part| match part {
                RefOr::Ref(part) => Some(part.ref_location.clone()),
                RefOr::T(_) => None,
            }));
        }
    }
    for (name, schema) in schemas {
        if let RefOr::T(Schema::Object(object)) = schema
            && parts.contains(&Ref::from_schema_name(name.as_str()).ref_location)
        {
            object.additional_properties = None;
        }
    }
}

/// Something that a handler takes.
pub trait Taken {
    fn sketch(sketch: &mut Sketch);
}

impl Taken for State<Arc<Api>> {
    fn sketch(_: &mut Sketch) {}
}
impl Taken for Extension<Ends> {
    fn sketch(_: &mut Sketch) {}
}
impl Taken for HeaderMap {
    fn sketch(_: &mut Sketch) {}
}
impl<N: Needs> Taken for By<N> {
    fn sketch(sketch: &mut Sketch) {
        sketch.needs_somebody = true;
    }
}
impl Taken for Approver {
    fn sketch(sketch: &mut Sketch) {
        sketch.needs_somebody = true;
    }
}
impl<T: IntoParams> Taken for Query<T> {
    fn sketch(sketch: &mut Sketch) {
        sketch.parameters.extend(T::into_params(|| Some(ParameterIn::Query)));
    }
}
impl<T: ToSchema> Taken for Body<T> {
    fn sketch(sketch: &mut Sketch) {
        sketch.body = Some(sketch.refer::<T>());
    }
}
impl<T: ToSchema> Taken for Signed<T> {
    fn sketch(sketch: &mut Sketch) {
        sketch.body = Some(sketch.refer::<T>());
        for (name, of_type) in [(ID, Type::String), (TIMESTAMP, Type::Integer), (SIGNATURE, Type::String)] {
            let schema: Schema = ObjectBuilder::new().schema_type(of_type).build().into();
            let parameter = ParameterBuilder::new()
                .name(name)
                .parameter_in(ParameterIn::Header)
                .required(Required::True)
                .schema(Some(schema));
            sketch.parameters.push(parameter.build());
        }
    }
}
impl Taken for Number {
    fn sketch(sketch: &mut Sketch) {
        sketch.in_path(&ObjectBuilder::new().schema_type(Type::Integer).minimum(Some(1)).build().into());
    }
}
impl Taken for Name {
    fn sketch(sketch: &mut Sketch) {
        sketch.in_path(&ObjectBuilder::new().schema_type(Type::String).build().into());
    }
}

/// Something that a handler answers.
pub trait Answered {
    fn sketch(sketch: &mut Sketch);
}

impl<T: Answered> Answered for Result<T, Problem> {
    fn sketch(sketch: &mut Sketch) {
        T::sketch(sketch);
    }
}
impl<T: ToSchema> Answered for Json<T> {
    fn sketch(sketch: &mut Sketch) {
        sketch.answers::<T>("200");
    }
}
impl<T: ToSchema> Answered for Created<T> {
    fn sketch(sketch: &mut Sketch) {
        sketch.answers::<T>("201");
    }
}
impl<T: ToSchema> Answered for SignedIn<T> {
    fn sketch(sketch: &mut Sketch) {
        sketch.answers::<T>("200");
    }
}
impl<T: ToSchema> Answered for Again<T> {
    fn sketch(sketch: &mut Sketch) {
        sketch.answers::<T>("200");
    }
}
impl Answered for NoContent {
    fn sketch(sketch: &mut Sketch) {
        sketch.answer = Some(("204", None));
    }
}
impl Answered for SignedOut {
    fn sketch(sketch: &mut Sketch) {
        sketch.answer = Some(("204", None));
    }
}
impl Answered for Stream {
    fn sketch(sketch: &mut Sketch) {
        sketch.answer = Some(("200", Some(("text/event-stream", None))));
    }
}
impl Answered for Document {
    fn sketch(sketch: &mut Sketch) {
        sketch.answer = Some(("200", Some((JSON, None))));
    }
}

/// A handler whose types say what it does.
pub trait Call<Types> {
    fn sketch(sketch: &mut Sketch);
}

macro_rules! call {
    ($($taken:ident),*) => {
        impl<F, Fut, Out, $($taken),*> Call<($($taken,)*)> for F
        where
            F: Fn($($taken),*) -> Fut,
            Fut: Future<Output = Out>,
            Out: Answered,
            $($taken: Taken,)*
        {
            fn sketch(sketch: &mut Sketch) {
                $($taken::sketch(sketch);)*
                Out::sketch(sketch);
            }
        }
    };
}
call!();
call!(A);
call!(A, B);
call!(A, B, C);
call!(A, B, C, D);

/// Calls with their descriptions; neither can be there without the other.
#[derive(Default)]
pub struct Calls {
    pub router: Router<Arc<Api>>,
    pub paths: Paths,
    pub schemas: Schemas,
}

impl Calls {
    pub fn get<T, D, H>(self, path: &str, summary: &str, handler: H) -> Self
    where
        T: 'static,
        H: Handler<T, Arc<Api>> + Call<D>,
    {
        self.add(&Method::GET, path, summary, handler)
    }
    pub fn post<T, D, H>(self, path: &str, summary: &str, handler: H) -> Self
    where
        T: 'static,
        H: Handler<T, Arc<Api>> + Call<D>,
    {
        self.add(&Method::POST, path, summary, handler)
    }
    pub fn delete<T, D, H>(self, path: &str, summary: &str, handler: H) -> Self
    where
        T: 'static,
        H: Handler<T, Arc<Api>> + Call<D>,
    {
        self.add(&Method::DELETE, path, summary, handler)
    }

    fn add<T, D, H>(mut self, method: &Method, path: &str, summary: &str, handler: H) -> Self
    where
        T: 'static,
        H: Handler<T, Arc<Api>> + Call<D>,
    {
        let names = path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'));
        let mut sketch = Sketch { names: names.map(str::to_owned).collect(), ..Sketch::default() };
        H::sketch(&mut sketch);
        if may_repeat(method, path) {
            sketch.parameters.push(idempotency_key());
        }
        let (described, filter) = match *method {
            Method::POST => (HttpMethod::Post, MethodFilter::POST),
            Method::DELETE => (HttpMethod::Delete, MethodFilter::DELETE),
            _ => (HttpMethod::Get, MethodFilter::GET),
        };
        self.schemas.append(&mut sketch.schemas);
        let id = format!("{method} {path}").to_ascii_lowercase();
        let id = id.replace(|letter: char| !letter.is_ascii_alphanumeric(), "_").replace("__", "_");
        let operation = operation(sketch, id.trim_matches('_'), summary);
        self.paths.add_path_operation(path, vec![described], operation);
        self.router = self.router.route(path, on(filter, handler));
        self
    }
}

fn operation(sketch: Sketch, id: &str, summary: &str) -> Operation {
    let mut operation = OperationBuilder::new()
        .operation_id(Some(id))
        .summary(Some(summary))
        .parameters(Some(sketch.parameters));
    if let Some(body) = sketch.body {
        let content = ContentBuilder::new().schema(Some(body)).build();
        let body = RequestBodyBuilder::new().content(JSON, content).required(Some(Required::True));
        operation = operation.request_body(Some(body.build()));
    }
    if sketch.needs_somebody {
        let none: [&str; 0] = [];
        operation = operation
            .security(SecurityRequirement::new(BEARER, none))
            .security(SecurityRequirement::new(COOKIE, none));
    }
    if let Some((status, content)) = sketch.answer {
        let mut response = ResponseBuilder::new().description("It was done.");
        if let Some((media_type, schema)) = content {
            response = response.content(media_type, ContentBuilder::new().schema(schema).build());
        }
        operation = operation.response(status, response.build());
    }
    let problem: RefOr<Schema> = Ref::from_schema_name(ProblemDocument::name()).into();
    let problem = ContentBuilder::new().schema(Some(problem)).build();
    let problem = ResponseBuilder::new()
        .description("It was not done: `message`, `detail` and `hint` say why, and what to do.")
        .content(MEDIA_TYPE, problem);
    operation.response("default", problem.build()).build()
}

fn idempotency_key() -> Parameter {
    let schema = ObjectBuilder::new()
        .schema_type(SchemaType::new(Type::String))
        .min_length(Some(1))
        .max_length(Some(128))
        .pattern(Some("^[!-~]+$"));
    ParameterBuilder::new()
        .name("Idempotency-Key")
        .parameter_in(ParameterIn::Header)
        .required(Required::False)
        .description(Some("The same call with the same key is made once, and answered again for 24 hours."))
        .schema(Some(schema))
        .build()
}
