//! Every route against the table of rights: every role, at every time of its term, in open and closed cases, with one's
//! own, foreign and missing ids. What is not granted is 403 or 404, says nothing of what there is, and is on record.

use std::collections::BTreeMap;

use custody::act::{CaseRole, VaultRole};
use custody::digest::Digest;
use custody::record::Sequence;
use custody::rules::{Holders, Right};
use custos::api;
use custos::http::{Asks, Document, ROUTES, Route};
use futures_util::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};
use utoipa::OpenApi as _;

use super::{alter, refusals};
use crate::on_both_engines;
use crate::support::app::TestApp;
use crate::support::client::{Answer, Caller, draft, item};
use crate::support::world::Engine;

on_both_engines! {
    what_is_not_granted_is_refused_without_a_word_and_on_record
}

const FAR: &str = "2199-01-01T00:00:00.000Z";
const NOWHERE: &str = "01920000-0000-7000-8000-000000000000";

/// A route with its method and the template of its address.
struct Served {
    route: Route,
    method: Method,
    path: String,
}

/// The routes as the service's own document has them, joined with what each asks.
fn served() -> Vec<Served> {
    let document: Value = serde_json::from_str(&Document::openapi().to_json().unwrap()).unwrap();
    let mut found = BTreeMap::new();
    for (path, methods) in document["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            let name = operation["operationId"].as_str().unwrap().to_owned();
            let method: Method = method.to_uppercase().parse().unwrap();
            let earlier = found.insert(name.clone(), (method, path.clone()));
            assert!(earlier.is_none(), "two routes are named {name}: give one an `operation_id`");
        }
    }
    assert_eq!(found.len(), ROUTES.len());
    let served = ROUTES.iter().map(|route| {
        let (method, path) = found.remove(route.name).unwrap();
        Served { route: *route, method, path }
    });
    served.collect()
}

/// A case with an item of content in it.
#[derive(Clone)]
struct Place {
    case: String,
    item: String,
    closed: bool,
}

/// Somebody who tries.
struct Trier {
    name: String,
    who: Caller,
    /// The role in the vault that counts.
    vault: Option<VaultRole>,
    /// The role in the cases that counts.
    case: Option<CaseRole>,
    /// Refusals met: as a member, and as nobody who may know.
    met: (u64, u64),
}

struct Ground {
    app: TestApp,
    lead: Caller,
    own: [Place; 2],
    foreign: Place,
    /// Somebody to whom things are done.
    victim: Caller,
}

async fn what_is_not_granted_is_refused_without_a_word_and_on_record(engine: Engine) {
    let (mut ground, mut triers) = ground(engine).await;
    let served = served();
    // Who may close a case does so: nobody else tries anything in it meanwhile.
    let (closing, others): (Vec<_>, Vec<_>) =
        triers.iter_mut().partition(|trier| trier.case.is_some_and(|role| role.permits(Right::CloseCase)));
    join_all(others.into_iter().map(|trier| ground.tries(trier, &served))).await;
    for trier in closing {
        ground.tries(trier, &served).await;
    }
    ground.strangers(&served).await;
    ground.app.restart().await;
    let recorded = refusals(&ground.app).await;
    for Trier { name, who, met, .. } in &triers {
        let theirs = recorded.iter().filter(|(_, denied)| denied.person.to_string() == who.id);
        let (mut member, mut nobody) = (0, 0);
        for (place, denied) in theirs {
            *(if *place == Some(Sequence::Refusals) { &mut nobody } else { &mut member }) += denied.count;
        }
        assert_eq!((member, nobody), *met, "{name}: refusals on record");
    }
    assert!(triers.iter().map(|trier| trier.met.0).sum::<u64>() > 100);
    assert!(triers.iter().map(|trier| trier.met.1).sum::<u64>() > 500);
}

async fn ground(engine: Engine) -> (Ground, Vec<Trier>) {
    let mut app = TestApp::new(engine).await;
    let (lead, other) =
        (app.enrol("Asha", &["investigator"]).await, app.enrol("Zoe", &["investigator"]).await);
    let victim = app.enrol("Victim", &[]).await;
    let place = async |who: &Caller, closed| {
        let case = who.open_case("A case").await;
        let item = who.put(&case, "a.txt", b"content").await;
        Place { case, item, closed }
    };
    let own = [place(&lead, false).await, place(&lead, true).await];
    let foreign = place(&other, false).await;
    let mut triers = Vec::new();
    let trier = |name: &str, who, vault, case| Trier { name: name.to_owned(), who, vault, case, met: (0, 0) };
    for role in VaultRole::ALL {
        let who = app.enrol(role.name(), &[role.name()]).await;
        triers.push(trier(role.name(), who, Some(*role), None));
    }
    // One address redeems only so many invitations in a minute.
    app.restart().await;
    for role in CaseRole::ALL {
        let who = app.enrol(role.name(), &[]).await;
        joins(&lead, &own, &who, role.name(), json!({})).await;
        triers.push(trier(&format!("{} of the case", role.name()), who, None, Some(*role)));
    }
    // Every role there is, but none that counts now.
    for (name, term) in [("before", json!({ "from": FAR })), ("after", json!({ "until": FAR }))] {
        let (of_vault, of_case) = (app.enrol(name, &[]).await, app.enrol(name, &[]).await);
        for role in VaultRole::ALL {
            let granted = with(&json!({ "role": role.name() }), &term);
            let path = format!("/api/v1/persons/{}/roles", of_vault.id);
            assert_eq!(app.admin.post(&path, &granted).await.status, 201);
        }
        for role in CaseRole::ALL {
            joins(&lead, &own, &of_case, role.name(), term.clone()).await;
        }
        triers.push(trier(&format!("{name} every role"), of_vault, None, None));
        triers.push(trier(&format!("{name} every role of the case"), of_case, None, None));
    }
    turn(&lead, &own[1].case, "close").await;
    // The time until then is over.
    app.stop().await;
    let far = "7226582400000";
    for table in ["persons", "members"] {
        let over = format!(
            "UPDATE {table} SET roles = REPLACE(roles, '::{far}', '::1') WHERE roles LIKE '%::{far}%'"
        );
        assert!(alter(&app, &over).await > 0, "{table}");
    }
    app.start().await;
    (Ground { app, lead, own, foreign, victim }, triers)
}

async fn joins(lead: &Caller, own: &[Place], who: &Caller, role: &str, term: Value) {
    for place in own {
        let member = with(&json!({ "person": who.id, "role": role }), &term);
        let answer = lead.post(&format!("/api/v1/cases/{}/members", place.case), &member).await;
        assert_eq!(answer.status, 201, "{}", answer.text());
    }
}

fn with(value: &Value, more: &Value) -> Value {
    let mut value = value.clone();
    value.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    value
}

async fn turn(lead: &Caller, case: &str, how: &str) {
    let answer = lead.post(&format!("/api/v1/cases/{case}/{how}"), &json!({})).await;
    assert!([201, 409].contains(&answer.status.as_u16()), "{}", answer.text());
}

impl Ground {
    async fn tries(&self, trier: &mut Trier, served: &[Served]) {
        for route in served {
            match route.route.asks {
                Asks::Nothing | Asks::SignIn => {}
                Asks::InVault(right) | Asks::OnOthers(right) => self.in_vault(trier, route, right).await,
                Asks::InCase(right) | Asks::OnItem(right) => self.in_case(trier, route, right).await,
                Asks::ToSay => self.in_case(trier, route, Right::Correct).await,
            }
        }
    }

    /// A right in the vault, over somebody else.
    async fn in_vault(&self, trier: &mut Trier, route: &Served, right: Right) {
        let granted = trier.vault.is_some_and(|role| role.permits(right));
        let answer = self.ask(&trier.who, route, &self.own[0], "").await;
        let what = format!("{} by {}: {} {}", route.route.name, trier.name, answer.status, answer.text());
        if granted {
            // A key is revoked once.
            let gone = answer.status == 404 && answer.problem("unknown").code == "unknown";
            assert!(gone || ![401, 403, 404].contains(&answer.status.as_u16()), "{what}");
            return;
        }
        assert_eq!(answer.status, 403, "{what}");
        assert_eq!(answer.problem("not-permitted").code, "not-permitted");
        trier.met.1 += 1;
    }

    /// A right in a case: in one's own, open and closed, in a foreign one, and in one that there is not.
    async fn in_case(&self, trier: &mut Trier, route: &Served, right: Right) {
        let nowhere = Place { case: NOWHERE.to_owned(), item: NOWHERE.to_owned(), closed: false };
        let missing = self.ask(&trier.who, route, &nowhere, &Digest::ZERO.to_hex()).await;
        trier.met.1 += 1;
        let what = |place: &Place, answer: &Answer| {
            let closed = if place.closed { "closed" } else { "open" };
            let name = route.route.name;
            format!("{name} in an {closed} case by {}: {} {}", trier.name, answer.status, answer.text())
        };
        assert_eq!(missing.status, 404, "{}", what(&nowhere, &missing));
        // All cases are foreign to who is in none.
        let own = if trier.case.is_some() { &self.own[..] } else { &[] };
        for place in own.iter().chain([&self.foreign]) {
            let role = trier.case.filter(|_| place.case != self.foreign.case);
            let permits = role.is_some_and(|role| role.permits(right));
            let open = !place.closed || right.row().in_closed;
            let grant = match (route.path.contains("content") || route.path.contains("{grant}"), permits) {
                (true, true) if right == Right::ReadContent => grant(&trier.who, &place.item).await,
                _ => Digest::ZERO.to_hex(),
            };
            let answer = self.ask(&trier.who, route, place, &grant).await;
            let said = what(place, &answer);
            match role {
                None => {
                    assert_eq!((answer.status, told(&answer)), (missing.status, told(&missing)), "{said}");
                    trier.met.1 += 1;
                }
                Some(_) if permits && open => {
                    assert!(![401, 403, 404].contains(&answer.status.as_u16()), "{said}");
                }
                Some(_) => {
                    assert_eq!(answer.status, 403, "{said}");
                    let code = if permits { "case-closed" } else { "not-permitted" };
                    assert_eq!(answer.problem(code).code, code);
                    trier.met.0 += 1;
                }
            }
            if right == Right::CloseCase && permits {
                turn(&self.lead, &place.case, if place.closed { "close" } else { "reopen" }).await;
            }
        }
    }

    /// Who is not signed in, and who is suspended.
    async fn strangers(&self, served: &[Served]) {
        let suspended = self.app.enrol("Suspended", &["investigator"]).await;
        joins(&self.lead, &self.own, &suspended, "investigator", json!({})).await;
        let suspends = draft("person.suspended", &json!({ "person": suspended.id }));
        assert_eq!(self.app.admin.say(&suspends).await.status, 201);
        for route in served.iter().filter(|route| route.route.asks != Asks::Nothing) {
            for who in [&suspended, &suspended.with_token("")] {
                let answer = self.ask(who, route, &self.own[0], &Digest::ZERO.to_hex()).await;
                // Too many tries from one address are no longer told why.
                let status = answer.status.as_u16();
                // A body that cannot be read may be found before who sends it is.
                let unread = status == 400 && self.known_body(route).is_none();
                assert!(
                    unread || [401, 429].contains(&status),
                    "{}: {status} {}",
                    route.route.name,
                    answer.text()
                );
            }
        }
    }

    fn known_body(&self, route: &Served) -> Option<Body> {
        body(route.route.name, self, &self.own[0])
    }

    async fn ask(&self, who: &Caller, route: &Served, place: &Place, grant: &str) -> Answer {
        let name = route.route.name;
        let of_item = matches!(route.route.asks, Asks::OnItem(_));
        let of_case = matches!(route.route.asks, Asks::InCase(_));
        let id = if of_item {
            &place.item
        } else if of_case {
            &place.case
        } else {
            &self.victim.id
        };
        let role = if of_case { "observer" } else { "auditor" };
        let path = route.path.replace("{id}", id).replace("{person}", &self.victim.id);
        let path = path.replace("{role}", role).replace("{stream}", "vault").replace("{grant}", grant);
        let path = path.replace("{hash}", &self.victim.key_hash());
        let path = if name == "download" { format!("{path}?access={grant}") } else { path };
        let request = who.request(route.method.clone(), &path);
        let request = match (&route.method, body(name, self, place)) {
            (_, Some(Body::Json(body))) => request.json(&body),
            (_, Some(Body::Bytes(bytes))) => request.body(bytes),
            (&Method::GET | &Method::DELETE, None) => request,
            _ if name == "submit" => return self.submit(who, place).await,
            // For who is not even signed in, anything will do.
            _ if route.route.asks == Asks::SignIn => request.json(&json!({})),
            _ => panic!("say what {name} is asked with"),
        };
        who.send(request).await
    }

    /// What one says oneself: prepared by whoever is signed in, signed with one's own key.
    async fn submit(&self, who: &Caller, place: &Place) -> Answer {
        let prepared = who.prepare(&correction(place)).await;
        if prepared.status != 200 {
            return prepared;
        }
        who.submit(&prepared.ok()).await
    }
}

async fn grant(who: &Caller, item: &str) -> String {
    who.access(item).await.made::<api::Access>().access
}

enum Body {
    Json(Value),
    Bytes(Vec<u8>),
}

fn correction(place: &Place) -> Value {
    let data = json!({ "record": Digest::ZERO.to_hex() });
    draft("correction.noted", &json!({ "case": place.case, "data": data }))
}

/// What a route is asked with by somebody who may, so that nothing but the right can be missing.
fn body(name: &str, ground: &Ground, place: &Place) -> Option<Body> {
    let Ground { victim, app, .. } = ground;
    let body = match name {
        "upload" => return Some(Body::Bytes(b"content".to_vec())),
        "new_org" => json!({ "name": "Another unit" }),
        "new_person" => json!({ "org": app.org, "name": "Somebody" }),
        "grant_role" => json!({ "role": "auditor" }),
        "invite" => json!({ "person": victim.id, "checked": "in-person" }),
        "open_case" => json!({ "title": "T", "case_type": "other", "jurisdiction": "ke" }),
        "update_case" => json!({ "references": { "fir": "12/2026" } }),
        "close_case" | "reopen_case" | "complete" | "fixity" | "revoke_key" | "start" => json!({}),
        "add_member" => json!({ "person": victim.id, "role": "reader" }),
        "register_item" => serde_json::to_value(item("open", "b.txt", None)).unwrap(),
        "search" => json!({ "q": "words" }),
        "classify" => json!({ "class": "confidential", "seen": Digest::ZERO.to_hex() }),
        "access" => json!({ "purpose": "case-review" }),
        "export" => json!({ "purpose": "court" }),
        "on_behalf" | "prepare" => correction(place),
        "new_token" => json!({ "label": "phone", "days": 1 }),
        "approve" => json!({ "signature": "AAAA" }),
        _ => return None,
    };
    Some(Body::Json(body))
}

/// What an answer tells: all but the number of the request.
fn told(answer: &Answer) -> Value {
    let mut body: Value = serde_json::from_slice(&answer.body).unwrap();
    body.as_object_mut().unwrap().remove("request_id");
    body
}

#[test]
fn what_a_route_asks_is_a_right_of_the_kind_that_it_says() {
    for Route { name, asks } in ROUTES {
        let of_case = |right: &Right| matches!(right.row().holders, Holders::Case(_));
        match asks {
            Asks::InVault(right) | Asks::OnOthers(right) => assert!(!of_case(right), "{name}"),
            Asks::InCase(right) | Asks::OnItem(right) => assert!(of_case(right), "{name}"),
            Asks::Nothing | Asks::SignIn | Asks::ToSay => {}
        }
    }
}
