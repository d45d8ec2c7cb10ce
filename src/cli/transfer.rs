//! `custos transfer`: custody changes hands under two signatures, the giver's and the receiver's, and those of whoever
//! carries it between them.

use std::collections::BTreeMap;

use custody::act::{Carriage, Carrier, TransferAccepted, TransferCarried, TransferOffered, TransferStep};
use custody::id::{CaseId, Code, ItemId, PersonId};
use custody::json::Object;
use custody::kind::Kind;
use custody::statement::{ItemRef, Seen};
use futures_util::StreamExt as _;
use serde_json::json;

use super::args::{fields, parse_field};
use super::failure::{Exit, Failure};
use super::item::{case_of, head, list};
use super::{Global, Out, progress, session};
use crate::api;
use crate::client::{Ask, Client, ClientError, new_op_id, now};

/// Items of one statement. The rules allow 1,000; but every receipt that is kept carries the whole statement, so that
/// their files grow with the square: 17 MB for 200 items, 400 MB for 1,000.
const ITEMS_A_STATEMENT: usize = 200;

/// Stored items that the vault reads at a time.
const CHECKS_AT_ONCE: usize = 4;

const DAY_MS: i64 = 24 * 60 * 60 * 1_000;

/// What to do.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Action {
    /// Offer items that you hold to another member of the case
    Offer {
        /// The case
        case: CaseId,
        /// To whom
        #[arg(long, value_name = "ID")]
        to: PersonId,
        /// Why, a code such as analysis
        #[arg(long, value_name = "CODE")]
        purpose: Code,
        /// How long the offer waits for an answer
        #[arg(long, value_name = "N", default_value_t = 14, value_parser = clap::value_parser!(u8).range(1..=90))]
        days: u8,
        /// Who carries it to them, a person's id, or "outside" for one without a key (such as a courier); several in order
        #[arg(long = "carrier", value_name = "ID|outside")]
        carriers: Vec<Carrier>,
        /// Facts about the handing over: condition=…, seal=…, place=…, notes=…; of what is carried, condition and seal,
        /// and to "outside" also carrier=… (its name) and waybill=…
        #[arg(long = "field", value_name = "NAME=VALUE", value_parser = parse_field)]
        fields: Vec<(Code, String)>,
        #[command(flatten)]
        which: Which,
    },
    /// As a carrier, take items that were handed on to you
    Take {
        /// What you were given: condition=…, seal=…, place=…, notes=…
        #[arg(long = "field", value_name = "NAME=VALUE", value_parser = parse_field)]
        fields: Vec<(Code, String)>,
        #[command(flatten)]
        which: Which,
    },
    /// As a carrier, hand items on to the next carrier or the receiver
    HandOn {
        /// What you give: condition=…, seal=…, place=…, notes=…; to "outside" also carrier=… (its name) and waybill=…
        #[arg(long = "field", value_name = "NAME=VALUE", value_parser = parse_field)]
        fields: Vec<(Code, String)>,
        #[command(flatten)]
        which: Which,
    },
    /// Take over items that were offered to you
    Accept {
        /// Of what was carried, what you got: condition=…, seal=…, place=…, notes=…
        #[arg(long = "field", value_name = "NAME=VALUE", value_parser = parse_field)]
        fields: Vec<(Code, String)>,
        #[command(flatten)]
        which: Which,
    },
    /// Do not take over items that were offered to you
    Decline {
        #[command(flatten)]
        which: Which,
    },
    /// Take back offers of yours that nobody answered
    Recall {
        /// The case
        case: CaseId,
        #[command(flatten)]
        which: Which,
    },
    /// What is offered to you, or yours to take or hand on as a carrier
    Inbox,
}

/// Which items.
#[derive(Debug, clap::Args)]
#[group(required = true, multiple = false)]
pub(crate) struct Which {
    /// These items
    #[arg(value_name = "ITEM")]
    items: Vec<ItemId>,
    /// All of them
    #[arg(long)]
    all: bool,
}

impl Which {
    fn select(&self, mut found: Vec<api::Item>) -> Result<Vec<api::Item>, Failure> {
        if self.all {
            return Ok(found);
        }
        let wanted: Vec<_> = self.items.iter().map(ItemId::to_string).collect();
        found.retain(|item| wanted.contains(&item.id));
        match wanted.iter().find(|id| !found.iter().any(|item| item.id == **id)) {
            Some(absent) => {
                Err(Failure::new(format!("item {absent} is not among them")).exits(Exit::NotFound))
            }
            None => Ok(found),
        }
    }
}

pub(super) async fn run(global: &Global, action: &Action, out: Out) -> Result<Exit, Failure> {
    let client = session::client(global)?;
    let (verb, moved) = match action {
        Action::Inbox => {
            let waiting = client.transfers().await?;
            out.result(&waiting, |items| list(items));
            return Ok(Exit::Valid);
        }
        Action::Offer { case, to, purpose, days, carriers, fields: given, which } => {
            let mut held = client.items(*case, None).await?;
            if which.all {
                held.retain(|item| is_held(&client, item) && item.offer.is_none());
            }
            let terms = Terms { to: *to, carriers, purpose, days: *days, fields: fields(given)? };
            let held = which.select(held)?;
            own_key(&client)?;
            check(&client, &held, out).await?;
            ("offered", offer(&client, *case, &terms, &held).await?)
        }
        Action::Take { fields: given, which } => {
            let next = inbox(&client, |offer, me| offer.waits_for == me && offer.to != me).await?;
            let next = which.select(next.into_iter().filter(|item| !is_held(&client, item)).collect())?;
            ("taken", carry(&client, Carriage::Taken, &fields(given)?, &next).await?)
        }
        Action::HandOn { fields: given, which } => {
            let mut held = inbox(&client, |offer, me| offer.waits_for == me).await?;
            held.retain(|item| is_held(&client, item));
            ("handed on", carry(&client, Carriage::HandedOn, &fields(given)?, &which.select(held)?).await?)
        }
        Action::Accept { fields: given, which } => {
            let mut waiting = inbox(&client, |offer, me| offer.to == me).await?;
            if which.all {
                waiting.retain(|item| item.offer.as_ref().is_some_and(|offer| offer.waits_for == offer.to));
            }
            let waiting = which.select(waiting)?;
            own_key(&client)?;
            check(&client, &waiting, out).await?;
            ("accepted", accept(&client, &fields(given)?, &waiting).await?)
        }
        Action::Decline { which } => {
            let waiting = which.select(inbox(&client, |offer, me| offer.to == me).await?)?;
            ("declined", answer(&client, &TransferStep::Declined, &waiting).await?)
        }
        Action::Recall { case, which } => {
            let mut offered = client.items(*case, None).await?;
            offered.retain(|item| is_held(&client, item) && item.offer.is_some());
            ("recalled", answer(&client, &TransferStep::Recalled, &which.select(offered)?).await?)
        }
    };
    out.result(&json!({ "items": moved, "step": verb }), |_| format!("{verb} {moved} items"));
    Ok(Exit::Valid)
}

/// Nobody gives or takes what is damaged without knowing: the vault reads the stored bytes of each item once more.
async fn check(client: &Client, items: &[api::Item], out: Out) -> Result<(), Failure> {
    let stored: Vec<_> = items.iter().filter(|item| item.stored.is_some()).collect();
    let (bar, total) = (progress::count(out), stored.len() as u64);
    let check = |item: &api::Item| {
        let id = item_id(item);
        async move { Ok::<_, ClientError>(client.check_fixity(id?).await?.intact) }
    };
    let checks = stored.into_iter().map(|item| async move { (item, check(item).await) });
    let mut checks = futures_util::stream::iter(checks).buffer_unordered(CHECKS_AT_ONCE);
    let mut done = 0;
    while let Some((item, intact)) = checks.next().await {
        done += 1;
        progress::at(&bar, "compare stored bytes", done, total);
        if !intact? {
            let failure =
                Failure::new(format!("item {} is damaged in the vault; nothing changed hands", item.id));
            return Err(
                failure.hint("the operator restores the object from a backup; name the others one by one")
            );
        }
    }
    bar.finish_and_clear();
    Ok(())
}

/// What is offered to this person, or theirs to carry, as far as it is wanted.
async fn inbox(
    client: &Client,
    wanted: impl Fn(&api::OfferInfo, &str) -> bool,
) -> Result<Vec<api::Item>, ClientError> {
    let (mut items, me) = (client.transfers().await?, client.person().to_string());
    items.retain(|item| item.offer.as_ref().is_some_and(|offer| wanted(offer, &me)));
    Ok(items)
}

fn is_held(client: &Client, item: &api::Item) -> bool {
    item.custodian == client.person().to_string()
}

/// What an offer says, whatever the items.
pub(crate) struct Terms<'a> {
    pub(crate) to: PersonId,
    /// Who carries it to them, in order.
    pub(crate) carriers: &'a [Carrier],
    pub(crate) purpose: &'a Code,
    /// How long the offer waits.
    pub(crate) days: u8,
    pub(crate) fields: BTreeMap<Code, String>,
}

/// Offers items; how many.
pub(crate) async fn offer(
    client: &Client,
    case: CaseId,
    terms: &Terms<'_>,
    items: &[api::Item],
) -> Result<usize, ClientError> {
    own_key(client)?;
    let expires = now().saturating_add_millis(i64::from(terms.days) * DAY_MS);
    let carriers = (!terms.carriers.is_empty()).then(|| terms.carriers.to_vec());
    for part in items.chunks(ITEMS_A_STATEMENT) {
        let refs = part.iter().map(|item| item_ref(item, None)).collect::<Result<_, _>>()?;
        let ask = Ask::new(Kind::TransferOffered, new_op_id())
            .case(case)
            .purpose(terms.purpose.clone())
            .data(
                TransferOffered { carriers: carriers.clone(), expires: Some(expires), to: terms.to }
                    .to_data(),
            )
            .fields(terms.fields.clone())
            .items(refs);
        client.say(&ask).await?;
    }
    Ok(items.len())
}

/// Takes as a carrier what was handed on, or hands it on; how many.
async fn carry(
    client: &Client,
    step: Carriage,
    fields: &BTreeMap<Code, String>,
    items: &[api::Item],
) -> Result<usize, ClientError> {
    say_of(client, Kind::TransferCarried, &TransferCarried { offer: None, step }.to_data(), fields, items)
        .await
}

/// Accepts what was offered, each from whoever brought it; how many.
async fn accept(
    client: &Client,
    fields: &BTreeMap<Code, String>,
    items: &[api::Item],
) -> Result<usize, ClientError> {
    let mut brought = BTreeMap::<Option<Carrier>, Vec<api::Item>>::new();
    for item in items {
        let last = item.offer.as_ref().and_then(|offer| offer.carriers.last());
        let last = last.map(|carrier| carrier.parse::<Carrier>()).transpose();
        let last = last.map_err(|_| ClientError::Protocol("a carrier is a person or outside"))?;
        brought.entry(last).or_default().push(item.clone());
    }
    for (from, items) in brought {
        let data = TransferAccepted { from, offer: None }.to_data();
        say_of(client, Kind::TransferAccepted, &data, fields, &items).await?;
    }
    Ok(items.len())
}

/// Accepts, declines or recalls what was offered; how many.
pub(crate) async fn answer(
    client: &Client,
    step: &TransferStep,
    items: &[api::Item],
) -> Result<usize, ClientError> {
    let kind = match step {
        TransferStep::Accepted(_) => return accept(client, &BTreeMap::new(), items).await,
        TransferStep::Recalled => Kind::TransferRecalled,
        _ => Kind::TransferDeclined,
    };
    say_of(client, kind, &Object::new(), &BTreeMap::new(), items).await
}

/// Says the same of the offers of items, case by case; of how many.
async fn say_of(
    client: &Client,
    kind: Kind,
    data: &Object,
    fields: &BTreeMap<Code, String>,
    items: &[api::Item],
) -> Result<usize, ClientError> {
    own_key(client)?;
    let mut items: Vec<_> = items.iter().collect();
    items.sort_by(|a, b| a.case.cmp(&b.case));
    for of_case in items.chunk_by(|a, b| a.case == b.case) {
        for part in of_case.chunks(ITEMS_A_STATEMENT) {
            let refs =
                part.iter().map(|item| item_ref(item, Some(offer_of(item)?))).collect::<Result<_, _>>()?;
            let Some(first) = part.first() else { continue };
            let ask = Ask::new(kind, new_op_id()).case(case_of(first)?).items(refs);
            client.say(&ask.data(data.clone()).fields(fields.clone())).await?;
        }
    }
    Ok(items.len())
}

fn own_key(client: &Client) -> Result<(), ClientError> {
    match client.key_hash() {
        Some(_) => Ok(()),
        None => Err(ClientError::Key(
            "a transfer is signed with a key of your own, and this profile names none (custos key enroll)"
                .into(),
        )),
    }
}

fn item_ref(item: &api::Item, offer: Option<Seen>) -> Result<ItemRef, ClientError> {
    Ok(ItemRef { item: item_id(item)?, offer, seen: Some(head(item)?) })
}

fn item_id(item: &api::Item) -> Result<ItemId, ClientError> {
    item.id.parse().map_err(|_| ClientError::Protocol("an item's id is a UUID"))
}

fn offer_of(item: &api::Item) -> Result<Seen, ClientError> {
    let offer = item.offer.as_ref().ok_or(ClientError::Protocol("an item in the inbox has an offer"))?;
    let record = offer.record.parse().map_err(|_| ClientError::Protocol("an offer is a record hash"))?;
    Ok(Seen::Record(record))
}
