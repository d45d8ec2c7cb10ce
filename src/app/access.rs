//! Access: the record that comes before the first byte.

use custody::act::{AccessGranted, Act};
use custody::id::{ItemId, OpId, PersonId};
use custody::kind::Kind;
use custody::rules::Right;

use super::compose::Say;
use super::{App, AppError, parse, wire};
use crate::api;

/// How long a grant lasts: fifteen minutes.
const GRANT_MS: i64 = 15 * 60 * 1_000;

impl App {
    /// Records why `person` reads the item, and returns what content requests must carry.
    pub async fn grant_access(
        &self,
        person: PersonId,
        id: ItemId,
        new: api::NewAccess,
        op_id: Option<OpId>,
    ) -> Result<api::Access, AppError> {
        let item = self.item_for(person, id, Right::ReadContent).await?;
        let expires = self.clock.now().saturating_add_millis(GRANT_MS);
        let data = AccessGranted { expires, with: None }.to_data();
        let mut say =
            Say::of_item(Kind::AccessGranted, item.case, id).data(data).op_id(op_id).fields(new.fields)?;
        say.purpose = Some(parse(&new.purpose, "purpose")?);
        let receipts = self.say_on_behalf(person, say).await?;
        let access = super::first_record(&receipts)?.to_hex();
        // A repeated request is answered with the first grant, which ends when it said.
        let granted = receipts.first().map(|first| super::read::statement(&first.envelope)).transpose()?;
        let granted = granted.map(|statement| Act::parse(&statement)).transpose()?;
        let expires = match granted {
            Some(Act::AccessGranted(_, _, data)) => data.expires,
            _ => expires,
        };
        Ok(api::Access { access, expires: expires.to_string(), receipts: wire(&receipts) })
    }
}
