//! Every route against the table of rights: every role, at every time of its term, in open and closed cases, with one's
//! own, foreign and missing ids. What is granted succeeds, but for what the [table](asked) names; what is not is 403 or
//! 404, says nothing of what there is, and is on record. Who is not signed in is told nothing else.

mod asked;

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Mutex;

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

use self::asked::{Body, answer_to_anybody, body, conflict};
use super::{alter, refusals};
use crate::on_both_engines;
use crate::support::app::{TestApp, builder};
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

/// A case with an item of content in it, and one without.
#[derive(Clone)]
struct Place {
    case: String,
    item: String,
    empty: String,
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
    /// The cases in which they have that role, or one that does not count now: an open one, and a closed one.
    own: Vec<Place>,
    /// Somebody to whom they do things.
    victim: Caller,
    /// Refusals met: as a member, and as nobody who may know.
    met: (u64, u64),
}

struct Ground {
    app: TestApp,
    lead: Caller,
    foreign: Place,
    /// What is somebody else's, by the route that asks for one's own.
    others: BTreeMap<&'static str, String>,
    /// Whatever was not as it must be.
    wrong: Mutex<Vec<String>>,
}

async fn what_is_not_granted_is_refused_without_a_word_and_on_record(engine: Engine) {
    let (mut ground, mut triers) = ground(engine).await;
    let served = served();
    join_all(triers.iter_mut().map(|trier| ground.tries(trier, &served))).await;
    ground.strangers(&served, &triers).await;
    ground.app.restart().await;
    let recorded = refusals(&ground.app).await;
    for Trier { name, who, met, .. } in &triers {
        let theirs = recorded.iter().filter(|(_, denied)| denied.person.to_string() == who.id);
        let (mut member, mut nobody) = (0, 0);
        for (place, denied) in theirs {
            *(if *place == Some(Sequence::Refusals) { &mut nobody } else { &mut member }) += denied.count;
        }
        let as_met = (member, nobody) == *met;
        ground.holds(as_met, || format!("{name}: refusals on record {:?}, met {met:?}", (member, nobody)));
    }
    let wrong = ground.wrong.into_inner().unwrap();
    assert!(wrong.is_empty(), "{} answers:\n{}", wrong.len(), wrong.join("\n"));
    assert!(triers.iter().map(|trier| trier.met.0).sum::<u64>() > 100);
    assert!(triers.iter().map(|trier| trier.met.1).sum::<u64>() > 500);
}

/// People of a vault whose addresses redeem only so many invitations in a minute.
async fn enrol(app: &mut TestApp, name: &str, roles: &[&str], enrolled: &mut usize) -> Caller {
    *enrolled += 1;
    if (*enrolled).is_multiple_of(12) {
        app.restart().await;
    }
    app.enrol(name, roles).await
}

async fn place(lead: &Caller, closed: bool) -> Place {
    let case = lead.open_case("A case").await;
    let item = lead.put(&case, "a.txt", b"content").await;
    let empty: api::Created = lead.register(&case, &item_of(b"content")).await.made();
    Place { case, item, empty: empty.id, closed }
}

fn item_of(content: &[u8]) -> api::NewItem {
    item("open", "b.txt", Some(content))
}

async fn ground(engine: Engine) -> (Ground, Vec<Trier>) {
    let (mut app, mut count) = (TestApp::new(engine).await, 0);
    let lead = enrol(&mut app, "Asha", &["investigator"], &mut count).await;
    let other = enrol(&mut app, "Zoe", &["investigator"], &mut count).await;
    let victim = enrol(&mut app, "Victim", &[], &mut count).await;
    let foreign = place(&other, false).await;
    let mut triers = Vec::new();
    for role in VaultRole::ALL {
        let who = enrol(&mut app, role.name(), &[role.name()], &mut count).await;
        // What ends somebody's access does so once.
        let victim = if role.permits(Right::RevokeKeys) {
            enrol(&mut app, "Another victim", &[], &mut count).await
        } else {
            victim.clone()
        };
        let (name, vault) = (role.name().to_owned(), Some(*role));
        triers.push(Trier { name, who, vault, case: None, own: Vec::new(), victim, met: (0, 0) });
    }
    for role in CaseRole::ALL {
        let who = enrol(&mut app, role.name(), &[], &mut count).await;
        let own = own(&lead, &who, &[*role], &json!({})).await;
        let (name, case, victim) = (format!("{} of the case", role.name()), Some(*role), victim.clone());
        triers.push(Trier { name, who, vault: None, case, own, victim, met: (0, 0) });
    }
    // Every role there is, but none that counts now.
    for (name, term) in [("before", json!({ "from": FAR })), ("after", json!({ "until": FAR }))] {
        let of_vault = enrol(&mut app, name, &[], &mut count).await;
        for role in VaultRole::ALL {
            let granted = with(&json!({ "role": role.name() }), &term);
            let path = format!("/api/v1/persons/{}/roles", of_vault.id);
            assert_eq!(app.admin.post(&path, &granted).await.status, 201);
        }
        let of_case = enrol(&mut app, name, &[], &mut count).await;
        let places = own(&lead, &of_case, CaseRole::ALL, &term).await;
        for (who, own, what) in [(of_vault, Vec::new(), ""), (of_case, places, " of the case")] {
            let (name, victim) = (format!("{name} every role{what}"), victim.clone());
            triers.push(Trier { name, who, vault: None, case: None, own, victim, met: (0, 0) });
        }
    }
    for place in triers.iter().flat_map(|trier| &trier.own).filter(|place| place.closed) {
        turn(&lead, &place.case, "close").await;
    }
    let others = others(&other, &foreign).await;
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
    (Ground { app, lead, foreign, others, wrong: Mutex::default() }, triers)
}

/// Two cases in which `who` has these roles; the second one is to be closed.
async fn own(lead: &Caller, who: &Caller, roles: &[CaseRole], term: &Value) -> Vec<Place> {
    let own = vec![place(lead, false).await, place(lead, true).await];
    for role in roles {
        joins(lead, &own, who, role.name(), term).await;
    }
    own
}

async fn joins(lead: &Caller, own: &[Place], who: &Caller, role: &str, term: &Value) {
    for place in own {
        let member = with(&json!({ "person": who.id, "role": role }), term);
        let answer = lead.post(&format!("/api/v1/cases/{}/members", place.case), &member).await;
        assert_eq!(answer.status, 201, "{}", answer.text());
    }
}

/// What `other` has, and nobody else may have anything of.
async fn others(other: &Caller, foreign: &Place) -> BTreeMap<&'static str, String> {
    let token: api::Token = other.post("/api/v1/tokens", &json!({ "label": "a", "days": 1 })).await.made();
    let session: api::Session = other.post("/api/v1/session", &json!({ "label": "a" })).await.made();
    let export: api::Export = other.export(&foreign.case).await.made();
    BTreeMap::from([("revoke_token", token.id), ("end", session.id), ("bundle", export.id)])
}

fn with(value: &Value, more: &Value) -> Value {
    let mut value = value.clone();
    value.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    value
}

async fn turn(lead: &Caller, case: &str, how: &str) {
    let answer = lead.post(&format!("/api/v1/cases/{case}/{how}"), &json!({})).await;
    assert_eq!(answer.status, 201, "{}", answer.text());
}

/// What is asked for, of whom, about what.
struct Asked<'a> {
    route: &'a Served,
    place: &'a Place,
    victim: &'a Caller,
    /// A reading that is open.
    grant: String,
    /// What the address names where it names neither a case nor an item nor a person.
    id: &'a str,
}

impl Ground {
    fn holds(&self, holds: bool, otherwise: impl FnOnce() -> String) {
        if !holds {
            self.wrong.lock().unwrap().push(otherwise());
        }
    }

    /// That an answer has this status and, where it is a refusal, this code.
    fn is(&self, what: &str, answer: &Answer, status: u16, code: &str) {
        let said = (answer.status.as_u16(), code_of(answer));
        self.holds(said == (status, code.to_owned()), || {
            format!("{what}: not {status} {code}: {} {}", answer.status, answer.text())
        });
    }

    async fn tries(&self, trier: &mut Trier, served: &[Served]) {
        for route in served {
            match route.route.asks {
                Asks::Nothing => {}
                Asks::SignIn => self.signed_in(trier, route).await,
                Asks::InVault(right) | Asks::OnOthers(right) => self.in_vault(trier, route, right).await,
                Asks::InCase(right) | Asks::OnItem(right) => self.in_case(trier, route, right).await,
                Asks::ToSay => self.in_case(trier, route, Right::Correct).await,
            }
        }
    }

    /// What everybody who is signed in may ask is answered everybody alike; what is somebody else's is not there.
    async fn signed_in(&self, trier: &mut Trier, route: &Served) {
        let name = route.route.name;
        let (status, code, on_record) = answer_to_anybody(name);
        let nowhere = nowhere();
        let asked = |id| Asked { route, place: &nowhere, victim: &trier.victim, grant: String::new(), id };
        let id = asked::missing(name);
        let missing = self.ask(&trier.who, &asked(&id)).await;
        let what = format!("{name} by {}", trier.name);
        self.is(&what, &missing, status, code);
        let mut met = 1;
        if let Some(id) = self.others.get(name) {
            let answer = self.ask(&trier.who, &asked(id)).await;
            let alike = told(&answer) == told(&missing);
            self.holds(alike, || format!("{what}, somebody else's: {} {}", answer.status, answer.text()));
            met += 1;
        }
        trier.met.1 += if on_record { met } else { 0 };
    }

    /// A right in the vault, over somebody else.
    async fn in_vault(&self, trier: &mut Trier, route: &Served, right: Right) {
        let granted = trier.vault.is_some_and(|role| role.permits(right));
        let (place, id) = (&self.foreign, trier.victim.id.as_str());
        let asked = Asked { route, place, victim: &trier.victim, grant: String::new(), id };
        let answer = self.ask(&trier.who, &asked).await;
        let what = format!("{} by {}", route.route.name, trier.name);
        if granted {
            let state = conflict(route.route.name, false);
            self.succeeds(&what, &answer, state);
        } else {
            self.is(&what, &answer, 403, "not-permitted");
            trier.met.1 += 1;
        }
    }

    fn succeeds(&self, what: &str, answer: &Answer, conflict: Option<&str>) {
        match conflict {
            Some(code) => self.is(what, answer, custos::http::problems::row(code).1, code),
            None => self.holds(answer.status.is_success(), || {
                format!("{what}: no success: {} {}", answer.status, answer.text())
            }),
        }
    }

    /// A right in a case: in one's own, open and closed, in a foreign one, and in one that there is not.
    async fn in_case(&self, trier: &mut Trier, route: &Served, right: Right) {
        let (name, nowhere) = (route.route.name, nowhere());
        let asked = |place, grant| Asked { route, place, victim: &trier.victim, grant, id: "" };
        let no_grant = || Digest::ZERO.to_hex();
        let missing = self.ask(&trier.who, &asked(&nowhere, no_grant())).await;
        self.is(&format!("{name} nowhere by {}", trier.name), &missing, 404, "not-found");
        let mut met = (0, 1);
        for place in trier.own.iter().chain([&self.foreign]) {
            let role = trier.case.filter(|_| place.case != self.foreign.case);
            let permits = role.is_some_and(|role| role.permits(right));
            let open = !place.closed || right.row().in_closed;
            let reads = asked::READS_UNDER_A_GRANT.contains(&name);
            let grant = if reads && permits { grant(&trier.who, &place.item).await } else { no_grant() };
            let answer = self.ask(&trier.who, &asked(place, grant)).await;
            let state = if place.closed { "a closed" } else { "an open" };
            let what = format!("{name} in {state} case by {}", trier.name);
            match role {
                None => {
                    let alike = (answer.status, told(&answer)) == (missing.status, told(&missing));
                    self.holds(alike, || {
                        format!("{what}, not a member: {} {}", answer.status, answer.text())
                    });
                    met.1 += 1;
                }
                Some(_) if permits && open => self.succeeds(&what, &answer, conflict(name, place.closed)),
                Some(_) => {
                    let code = if permits { "case-closed" } else { "not-permitted" };
                    self.is(&what, &answer, 403, code);
                    met.0 += 1;
                }
            }
            if right == Right::CloseCase && answer.status == 201 {
                turn(&self.lead, &place.case, if place.closed { "close" } else { "reopen" }).await;
            }
        }
        trier.met = (trier.met.0 + met.0, trier.met.1 + met.1);
    }

    /// Who is not signed in, and who is suspended, each time from another address: nobody counts them.
    async fn strangers(&self, served: &[Served], triers: &[Trier]) {
        let suspended = self.app.enrol("Suspended", &["investigator"]).await;
        let place = triers.iter().flat_map(|trier| &trier.own).next().unwrap();
        joins(&self.lead, std::slice::from_ref(place), &suspended, "investigator", &json!({})).await;
        let suspends = draft("person.suspended", &json!({ "person": suspended.id }));
        assert_eq!(self.app.admin.say(&suspends).await.status, 201);
        let victim = &triers[0].victim;
        let asking = served.iter().filter(|route| route.route.asks != Asks::Nothing);
        for (address, route) in (1..).zip(asking) {
            let address = IpAddr::V4(Ipv4Addr::new(127, 0, 3, address));
            let http = builder(&self.app.config).local_address(address).build().unwrap();
            for who in [&suspended, &suspended.with_token("")] {
                let asked = Asked { route, place, victim, grant: Digest::ZERO.to_hex(), id: NOWHERE };
                let request = self.request(who, &asked).await.build().unwrap();
                let answer = who.send(reqwest::RequestBuilder::from_parts(http.clone(), request)).await;
                self.is(&format!("{} by a stranger", route.route.name), &answer, 401, "unauthenticated");
            }
        }
    }

    async fn ask(&self, who: &Caller, asked: &Asked<'_>) -> Answer {
        if asked.route.route.name != "submit" {
            return who.send(self.request(who, asked).await).await;
        }
        // What one says oneself: prepared by whoever is signed in, signed with one's own key.
        let prepared = who.prepare(&asked::correction(asked.place, &self.head(asked).await)).await;
        if prepared.status == 200 { who.submit(&prepared.ok()).await } else { prepared }
    }

    async fn request(&self, who: &Caller, asked: &Asked<'_>) -> reqwest::RequestBuilder {
        let Asked { route, place, victim, grant, id } = asked;
        let name = route.route.name;
        let id = match route.route.asks {
            Asks::OnItem(_) if ["upload", "receive_sealed"].contains(&name) => &place.empty,
            Asks::OnItem(_) => &place.item,
            Asks::InCase(_) => &place.case,
            _ if route.path.contains("/persons/{id}") => &victim.id,
            _ => *id,
        };
        let role = if matches!(route.route.asks, Asks::InCase(_)) { "reader" } else { "auditor" };
        let path = route.path.replace("{id}", id).replace("{person}", &victim.id);
        let path = path.replace("{role}", role).replace("{stream}", "vault").replace("{grant}", grant);
        let path = path.replace("{proposal}", &Digest::ZERO.to_hex());
        let path = path.replace("{hash}", &victim.key_hash());
        let reads = asked::READS_UNDER_A_GRANT.contains(&name) && !route.path.contains("{grant}");
        let path = if reads { format!("{path}?access={grant}") } else { path };
        let request = who.request(route.method.clone(), &path);
        match (&route.method, body(name, &self.app, asked, &self.head(asked).await)) {
            (_, Body::Json(body)) => request.json(&body),
            (_, Body::Bytes(bytes)) => request.body(bytes),
            (&Method::GET | &Method::DELETE, Body::None) => request,
            (_, Body::None) => panic!("say what {name} is asked with"),
        }
    }

    /// The newest record of the item, for who must name one.
    async fn head(&self, asked: &Asked<'_>) -> String {
        let named = ["classify", "on_behalf", "submit"].contains(&asked.route.route.name);
        if !named || [NOWHERE, &self.foreign.item].contains(&asked.place.item.as_str()) {
            return Digest::ZERO.to_hex();
        }
        self.lead.item(&asked.place.item).await.ok::<api::Item>().head
    }
}

fn nowhere() -> Place {
    let [case, item, empty] = [NOWHERE; 3].map(str::to_owned);
    Place { case, item, empty, closed: false }
}

async fn grant(who: &Caller, item: &str) -> String {
    who.access(item).await.made::<api::Access>().access
}

/// What an answer tells: all but the number of the request.
fn told(answer: &Answer) -> Value {
    let mut body: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    if let Some(body) = body.as_object_mut() {
        body.remove("request_id");
    }
    body
}

fn code_of(answer: &Answer) -> String {
    told(answer)["code"].as_str().filter(|_| !answer.status.is_success()).unwrap_or_default().to_owned()
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
