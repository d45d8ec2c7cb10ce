//! `custos item`

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use custody::act::{AccessReviewed, Class, ItemClassified, ItemRegistered, SealBroken, Sealing};
use custody::age::Recipient;
use custody::digest::Digest;
use custody::id::{CaseId, Code, ItemId, PersonId};
use custody::kind::Kind;
use custody::statement::{ItemRef, Seen};
use serde_json::json;

use super::args::{code, fields, parse_field};
use super::failure::{Exit, Failure};
use super::files::write_new;
use super::table::{printable, size, table};
use super::{Global, Out, form, get, labels, reseal, session};
use crate::api;
use crate::client::{Ask, Client, ClientError, new_item_id, new_op_id};

/// What to do.
#[derive(Debug, clap::Subcommand)]
pub(super) enum Action {
    /// The items of a case
    List {
        /// The case
        case: CaseId,
        /// Only those with this in a title, a file name, a note
        #[arg(long, value_name = "TEXT")]
        search: Option<String>,
    },
    /// One item
    Show {
        /// The item
        item: ItemId,
    },
    /// Register an exhibit that the vault keeps no bytes of: a phone, a bag, a document on paper
    Add {
        /// The case
        case: CaseId,
        /// What it is
        #[arg(long, value_name = "TEXT")]
        title: String,
        /// open, confidential, restricted
        #[arg(long, default_value = "confidential", value_parser = class)]
        class: Class,
        #[command(flatten)]
        sealed: Sealed,
        /// Facts about it: place=…, collected-by=…, taken-at=…, device-serial=…, condition=…, notes=…
        #[arg(long = "field", value_name = "NAME=VALUE", value_parser = parse_field)]
        fields: Vec<(Code, String)>,
    },
    /// Record that items in your custody are at another place
    Move {
        /// The items, all of one case
        #[arg(required = true, value_name = "ITEM")]
        items: Vec<ItemId>,
        /// Where they are now
        #[arg(long, value_name = "TEXT")]
        place: String,
        /// Why, a code such as storage
        #[arg(long, value_name = "CODE")]
        purpose: Option<Code>,
    },
    /// Record that an item in your custody was sealed
    Seal {
        /// The item
        item: ItemId,
        /// What stands on the seal
        #[arg(long, value_name = "TEXT")]
        number: String,
    },
    /// Record that the seal of an item in your custody was broken
    Unseal {
        /// The item
        item: ItemId,
        /// Why, a code such as analysis
        #[arg(long, value_name = "CODE")]
        purpose: Code,
        /// Facts about it: condition=…, witnesses=…, notes=…
        #[arg(long = "field", value_name = "NAME=VALUE", value_parser = parse_field)]
        fields: Vec<(Code, String)>,
    },
    /// Write labels to print: a QR code of each item's id, its exhibit number and its case
    Label {
        /// The items
        #[arg(value_name = "ITEM", required_unless_present = "case", conflicts_with = "case")]
        items: Vec<ItemId>,
        /// All items of a case instead
        #[arg(long)]
        case: Option<CaseId>,
        /// The page to write (HTML, sheets of A4 with 3 x 8 labels of 70 x 37 mm); FILE.svg for a single label
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
        /// How many places of the first sheet were used before
        #[arg(long, default_value_t = 0, value_name = "PLACES", value_parser = clap::value_parser!(u8).range(0..24))]
        skip: u8,
    },
    /// Say what you found when you looked at a reading in an emergency that was not yours
    Review {
        /// The item
        item: ItemId,
        /// The grant, as `case emergencies` shows it
        #[arg(value_name = "GRANT")]
        grant: Digest,
        /// In words
        #[arg(long, value_name = "TEXT")]
        finding: String,
    },
    /// Change how sensitive an item is
    Classify {
        /// The item
        item: ItemId,
        /// open, confidential, restricted, hash-only
        #[arg(value_parser = class)]
        class: Class,
        /// Why, a code; needed where something made from another item becomes less protected
        #[arg(long, value_name = "CODE")]
        purpose: Option<Code>,
        #[command(flatten)]
        sealed: Sealed,
    },
    /// Seal a restricted item to other pairs: when somebody left, or lost a key. It counts once somebody else confirms it
    Reseal(Box<reseal::Reseal>),
    /// Open a restricted item through new halves that somebody else sealed, compare, and confirm them: the old ones are destroyed
    Confirm(reseal::Confirm),
    /// Give up what was sealed anew and not confirmed
    Withdraw {
        /// The item
        item: ItemId,
    },
    /// Have the vault make a redaction of a PNG or JPEG image: boxes become black in a new item, linked to this one
    Redact {
        /// The item
        item: ItemId,
        /// What becomes black, in pixels of the image as it is shown, from its upper left corner; as often as needed
        #[arg(long = "box", value_name = "X,Y,WIDTH,HEIGHT", required = true, value_parser = pixel_box)]
        boxes: Vec<api::PixelBox>,
        /// Why the image is read, a code such as disclosure
        #[arg(long, value_name = "CODE")]
        purpose: Code,
        /// Facts about the new item: title=…, notes=…
        #[arg(long = "field", value_name = "NAME=VALUE", value_parser = parse_field)]
        fields: Vec<(Code, String)>,
    },
}

/// To whom a restricted item is sealed.
#[derive(Debug, clap::Args)]
pub(super) struct Sealed {
    /// With class restricted: two persons in different roles who open it together; at least two pairs that have nobody in
    /// common, or one and a recovery pair
    #[arg(long = "pair", value_name = "PERSON,PERSON", value_parser = two::<PersonId>)]
    pairs: Vec<[PersonId; 2]>,
    /// With class restricted: the recipients of two papers, as `custos key paper` printed them
    #[arg(long, value_name = "RECIPIENT,RECIPIENT", value_parser = two::<Recipient>, requires = "pairs")]
    recovery: Option<[Recipient; 2]>,
}

impl Sealed {
    /// As it is signed: the lesser of two first, each pair once.
    pub(super) fn sealing(&self) -> Option<Sealing> {
        let mut pairs = self.pairs.clone();
        pairs.sort_unstable();
        pairs.dedup();
        (!pairs.is_empty()).then_some(Sealing { pairs, recovery: self.recovery })
    }
}

/// Two of something, the lesser one first.
fn two<T: FromStr + Ord>(text: &str) -> Result<[T; 2], String> {
    let both = text.split_once(',').and_then(|(one, other)| Some((one.parse().ok()?, other.parse().ok()?)));
    let (one, other): (T, T) = both.ok_or("two of them, with a comma in between")?;
    Ok(if one < other { [one, other] } else { [other, one] })
}

pub(super) async fn run(global: &Global, action: &Action, out: Out) -> Result<Exit, Failure> {
    match action {
        Action::List { case, search } => {
            let items = session::reader(global)?.items(*case, search.as_deref()).await?;
            out.result(&items, |items| list(items));
        }
        Action::Show { item } => {
            let item = session::reader(global)?.item(*item).await?;
            out.result(&item, show);
        }
        Action::Add { case, title, class, sealed, fields: given } => {
            let client = session::client(global)?;
            let mut fields = fields(given)?;
            fields.insert(code("title"), title.clone());
            let item = new_item_id();
            let data = ItemRegistered {
                class: *class,
                route: code("physical"),
                sealing: sealed.sealing(),
                sealed_by: None,
            };
            form::warn(&client, *case, &fields, out).await;
            let ask = Ask::new(Kind::ItemRegistered, new_op_id()).case(*case).item(item);
            client.say(&ask.data(data.to_data()).fields(fields)).await?;
            out.result(&json!({ "item": item }), |_| item.to_string());
        }
        Action::Move { items, place, purpose } => {
            let client = session::client(global)?;
            let ask = moved(&client, items, place, purpose.as_ref()).await?;
            client.say(&ask).await?;
            out.result(&json!({ "items": items }), |_| String::new());
        }
        Action::Seal { item, number } => {
            let client = session::client(global)?;
            let (_, ask) = about(&client, Kind::SealApplied, *item).await?;
            let kept = client.say(&ask.fields([(code("seal"), number.clone())].into())).await?;
            let seal = kept.first().map(|kept| kept.checked.record_hash);
            out.result(&json!({ "item": item, "seal": seal }), |_| String::new());
        }
        Action::Unseal { item, purpose, fields: given } => {
            let client = session::client(global)?;
            let (found, ask) = about(&client, Kind::SealBroken, *item).await?;
            let seal = found.seal.ok_or_else(|| Failure::new(format!("item {item} carries no seal")))?;
            let seal = seal.parse().map_err(|_| ClientError::Protocol("a seal is a record hash"))?;
            let data = SealBroken { seal: Seen::Record(seal) };
            let ask = ask.purpose(purpose.clone()).data(data.to_data()).fields(fields(given)?);
            client.say(&ask).await?;
            out.result(&json!({ "item": item }), |_| String::new());
        }
        Action::Reseal(args) => return reseal::reseal(global, args, out).await,
        Action::Confirm(together) => return reseal::confirm(global, together, out).await,
        Action::Withdraw { item } => return reseal::withdraw(global, *item, out).await,
        Action::Label { items, case, out: file, skip } => {
            let labelled = label(&session::reader(global)?, items, *case, file, *skip).await?;
            out.result(&json!({ "out": file, "labels": labelled }), |_| file.display().to_string());
        }
        Action::Review { item, grant, finding } => {
            let client = session::client(global)?;
            let ask = Ask::new(Kind::AccessReviewed, new_op_id())
                .case(case_of(&client.item(*item).await?)?)
                .item(*item);
            let fields = [(code("finding"), finding.clone())].into();
            client.say(&ask.data(AccessReviewed { grant: *grant }.to_data()).fields(fields)).await?;
            out.result(&json!({ "item": item, "reviewed": grant }), |_| String::new());
        }
        Action::Redact { item, boxes, purpose, fields: given } => {
            let made = redact(&session::client(global)?, *item, boxes, purpose, fields(given)?).await?;
            out.result(&made, |made| made.id.clone());
            out.say(&format!(
                "look at it before it leaves the house: custos get {} --purpose review --out redacted.png",
                made.id
            ));
        }
        Action::Classify { item, class, purpose, sealed } => {
            let client = session::client(global)?;
            let (_, ask) = about(&client, Kind::ItemClassified, *item).await?;
            let ask = if let Some(purpose) = purpose { ask.purpose(purpose.clone()) } else { ask };
            client
                .say(&ask.data(ItemClassified { class: *class, sealing: sealed.sealing() }.to_data()))
                .await?;
            let less = less_protected(&client.item(*item).await?, *class);
            out.result(&json!({ "item": item, "class": class, "less_protected": less }), |_| String::new());
            if !less.is_empty() {
                out.say("made from it, and less protected than it now; `custos item classify` changes each:");
                for linked in &less {
                    out.say(&format!("  {}", made(linked)));
                }
            }
            if *class == Class::Restricted {
                out.say("backups made until now hold its whole key, wrapped: rotate the key encryption key, and let them run out");
            }
        }
    }
    Ok(Exit::Valid)
}

/// An item as it is, and the beginning of an act that changes it.
async fn about(client: &Client, kind: Kind, item: ItemId) -> Result<(api::Item, Ask), ClientError> {
    let found = client.item(item).await?;
    let ask = Ask::new(kind, new_op_id()).case(case_of(&found)?).item(item).seen(head(&found)?);
    Ok((found, ask))
}

/// Puts on record that the original is read, and has the vault read and redact it.
async fn redact(
    client: &Client,
    item: ItemId,
    boxes: &[api::PixelBox],
    purpose: &Code,
    fields: BTreeMap<Code, String>,
) -> Result<api::Redacted, Failure> {
    let original = client.item(item).await?;
    let grant = get::grant(client, &original, (purpose, None), BTreeMap::new()).await?;
    let fields = fields.into_iter().map(|(name, value)| (name.to_string(), value)).collect();
    let made = client.redact(item, grant, &api::NewRedaction { boxes: boxes.to_vec(), fields }).await;
    // Reading is over either way.
    let completed = client.complete_access(item, grant).await;
    let made = made?;
    completed?;
    Ok(made)
}

/// `X,Y,WIDTH,HEIGHT`
fn pixel_box(text: &str) -> Result<api::PixelBox, String> {
    let numbers: Option<Vec<u32>> = text.split(',').map(|number| number.trim().parse().ok()).collect();
    match numbers.as_deref() {
        Some([x, y, w, h]) if *w > 0 && *h > 0 => Ok(api::PixelBox { x: *x, y: *y, w: *w, h: *h }),
        _ => Err("a box is x,y,width,height in pixels, at least one wide and high".into()),
    }
}

/// Items of one case at another place.
async fn moved(
    client: &Client,
    items: &[ItemId],
    place: &str,
    purpose: Option<&Code>,
) -> Result<Ask, Failure> {
    let (mut case, mut refs) = (None, Vec::with_capacity(items.len()));
    for item in items {
        let found = client.item(*item).await?;
        let of = case_of(&found)?;
        if *case.get_or_insert(of) != of {
            return Err(Failure::new(
                "items of one case are moved together: name those of another case apart",
            ));
        }
        refs.push(ItemRef { item: *item, offer: None, seen: Some(head(&found)?) });
    }
    let fields = [(code("place"), place.to_owned())].into();
    let ask = Ask::new(Kind::ItemMoved, new_op_id()).items(refs).fields(fields);
    let ask = if let Some(case) = case { ask.case(case) } else { ask };
    Ok(if let Some(purpose) = purpose { ask.purpose(purpose.clone()) } else { ask })
}

/// Writes labels; how many.
async fn label(
    client: &Client,
    named: &[ItemId],
    case: Option<CaseId>,
    file: &Path,
    skip: u8,
) -> Result<usize, Failure> {
    let mut items = Vec::new();
    match case {
        Some(case) => items = client.items(case, None).await?,
        None => {
            for item in named {
                items.push(client.item(*item).await?);
            }
        }
    }
    let single = file.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("svg"));
    let labels = match (single, items.as_slice()) {
        (_, []) => return Err(Failure::new("the case has no items to label")),
        (true, [item]) => labels::svg(item)?,
        (true, _) => return Err(Failure::usage("an SVG file holds one label: write FILE.html for several")),
        (false, items) => labels::page(items, usize::from(skip))?,
    };
    write_new(file, labels.as_bytes())?;
    Ok(items.len())
}

/// What is to be known of an item at a glance.
fn standing(item: &api::Item) -> String {
    let states = [
        (item.offer.as_ref().is_some_and(|offer| offer.carrier.is_none()), "offered"),
        (item.offer.as_ref().is_some_and(|offer| offer.carrier.is_some()), "in carriage"),
        (item.seal.is_some(), "sealed"),
        (!item.cannot_open.is_empty(), "seal anew"),
        (item.reseal.is_some(), "confirm"),
    ];
    states.iter().filter(|(is, _)| *is).map(|(_, state)| *state).collect::<Vec<_>>().join(", ")
}

/// The items as a table.
pub(super) fn list(items: &[api::Item]) -> String {
    let row = |item: &api::Item| {
        let name = ["title", "path", "file-name"].iter().find_map(|name| item.fields.get(*name));
        let content = item.stored.as_ref().or(item.claimed.as_ref());
        [
            item.exhibit.to_string(),
            item.id.clone(),
            item.class.clone(),
            content.map(|content| size(content.size)).unwrap_or_default(),
            content
                .map(|content| content.digest.get(..16).unwrap_or_default().to_owned())
                .unwrap_or_default(),
            standing(item),
            name.cloned().unwrap_or_default(),
        ]
    };
    let rows: Vec<_> = items.iter().map(row).collect();
    table(["nr", "id", "class", "size", "sha-256", "custody", "title"], &rows)
}

/// Who has it on its way to whom.
fn carried(item: &api::Item) -> Option<String> {
    let offer = item.offer.as_ref()?;
    Some(match offer.carrier.as_deref()? {
        "outside" => {
            format!("by a carrier without a key, to whom {} handed it, for {}", item.custodian, offer.to)
        }
        person => format!("by {person}, for {}", offer.to),
    })
}

fn show(item: &api::Item) -> String {
    let content = |content: &api::ContentInfo| format!("sha-256 {} ({} bytes)", content.digest, content.size);
    let mut lines = vec![
        format!("item       {}", item.id),
        format!("case       {}", item.case),
        format!("exhibit    {}", item.exhibit),
        format!("class      {}", item.class),
        format!("custodian  {}", item.custodian),
        format!("claimed    {}", item.claimed.as_ref().map_or("nothing".into(), content)),
        format!("stored     {}", item.stored.as_ref().map_or("nothing".into(), content)),
        format!("head       {}", item.head),
    ];
    lines.extend(item.offer.iter().map(|offer| {
        let until = offer.expires.as_ref().map_or_else(String::new, |at| format!(" until {at}"));
        format!("offered    to {}{until}", offer.to)
    }));
    lines.extend(carried(item).map(|carried| format!("in carriage {carried}")));
    lines.extend(item.seal.iter().map(|seal| format!("sealed by  {seal}")));
    for pair in item.sealing.iter().flat_map(|sealing| &sealing.pairs) {
        lines.push(format!("sealed to  {} and {}", pair[0], pair[1]));
    }
    let papers = item.sealing.iter().filter_map(|sealing| sealing.recovery.as_ref());
    lines.extend(papers.map(|two| format!("sealed to  the papers {} and {}", two[0], two[1])));
    lines.extend(item.sealed_by.iter().map(|_| {
        "unseen     its sender sealed it: the vault never saw the content, and its digest is what they say".to_owned()
    }));
    let gone = |person: &String| {
        format!("cannot open {person} left, is suspended or has other keys: custos item reseal")
    };
    lines.extend(item.cannot_open.iter().map(gone));
    if let Some(reseal) = &item.reseal {
        lines.push(format!(
            "sealed anew by {} until {}, to be confirmed: custos item confirm --reseal {}",
            reseal.by, reseal.expires, reseal.record
        ));
        lines.extend(
            reseal.sealing.pairs.iter().map(|pair| format!("then to    {} and {}", pair[0], pair[1])),
        );
        lines.extend(
            reseal
                .sealing
                .recovery
                .iter()
                .map(|two| format!("then to    the papers {} and {}", two[0], two[1])),
        );
    }
    lines.extend(item.derived.iter().map(|made| {
        let by = made.by.as_ref().map_or_else(|| "made by the vault".into(), |by| format!("as {by} says"));
        format!("derived    {} of {}, {by}", made.how, made.of)
    }));
    lines.extend(item.linked.iter().flatten().map(|linked| format!("made of it {}", made(linked))));
    lines.extend(item.fields.iter().map(|(name, value)| format!("{name:<10} {}", printable(value))));
    lines.join("\n")
}

/// Something that was made from another item, in a line.
pub(super) fn made(linked: &api::LinkedInfo) -> String {
    let api::LinkedInfo { id, exhibit, how, class, held, .. } = linked;
    let held = if *held { "" } else { ", no content" };
    format!("exhibit {exhibit} ({how}, {class}{held}) {id}")
}

/// Of what was made from an item, what is there and less protected than `new`.
fn less_protected(item: &api::Item, new: Class) -> Vec<api::LinkedInfo> {
    let less = |linked: &&api::LinkedInfo| linked.held && class(&linked.class).is_ok_and(|own| own < new);
    item.linked.iter().flatten().filter(less).cloned().collect()
}

/// The case an item belongs to.
pub(super) fn case_of(item: &api::Item) -> Result<CaseId, ClientError> {
    item.case.parse().map_err(|_| ClientError::Protocol("a case's id is a UUID"))
}

/// What an item's next change must name as seen.
pub(super) fn head(item: &api::Item) -> Result<Seen, ClientError> {
    let hash = item.head.parse().map_err(|_| ClientError::Protocol("an item's head is a record hash"))?;
    Ok(Seen::Record(hash))
}

/// `--class`
pub(super) fn class(text: &str) -> Result<Class, String> {
    serde_json::from_value(text.into())
        .map_err(|_| "a class is open, confidential, restricted or hash-only".into())
}
