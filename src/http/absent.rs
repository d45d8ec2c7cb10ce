//! What answers where no route does: 405 to another method on a known path, 404 to any other path.

use std::collections::{BTreeMap, BTreeSet};

use actix_web::HttpRequest;
use actix_web::dev::ResourceDef;
use actix_web::web::Data;
use utoipa::OpenApi as _;

use super::Document;
use super::api::Answer;
use crate::app::AppError;

/// What is served beside the operations of the API's document.
const MORE: &[(&str, &str)] = &[
    ("/api/v1/items/{id}/content", "HEAD"),
    ("/log/tile/{path:.*}", "GET"),
    ("/openapi.json", "GET"),
    ("/docs/{page:.*}", "GET"),
];

/// Which methods each path takes.
#[derive(Debug)]
pub(super) struct Known(Vec<(ResourceDef, BTreeSet<&'static str>)>);

impl Known {
    pub(super) fn new() -> Self {
        let mut known: BTreeMap<String, BTreeSet<&'static str>> = BTreeMap::new();
        for (path, item) in Document::openapi().paths.paths {
            let methods =
                [("GET", &item.get), ("PUT", &item.put), ("POST", &item.post), ("DELETE", &item.delete)];
            let taken = methods.into_iter().filter(|(_, operation)| operation.is_some());
            known.entry(path).or_default().extend(taken.map(|(method, _)| method));
        }
        for (path, method) in MORE {
            known.entry((*path).to_owned()).or_default().insert(*method);
        }
        Self(known.into_iter().map(|(path, methods)| (ResourceDef::new(path), methods)).collect())
    }

    /// As the `Allow` header lists them; nothing for a path that is not known.
    fn allowed(&self, path: &str) -> Option<String> {
        let found = self.0.iter().filter(|(known, _)| known.is_match(path));
        let methods: BTreeSet<_> = found.flat_map(|(_, methods)| methods).copied().collect();
        (!methods.is_empty()).then(|| methods.into_iter().collect::<Vec<_>>().join(", "))
    }
}

/// The answer to a request that no route takes.
pub(super) async fn answer(request: HttpRequest, known: Data<Known>) -> Answer {
    Err(known.allowed(request.path()).map_or(AppError::Address, AppError::Method))
}
