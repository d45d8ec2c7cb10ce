//! Somebody who says things.

use std::collections::BTreeMap;
use std::sync::Arc;

use custody::act::{Class, ItemRegistered};
use custody::digest::Digest;
use custody::envelope::{PayloadType, key_hash, sign};
use custody::id::{CaseId, ItemId, OpId};
use custody::json::Object;
use custody::kind::Kind;
use custody::statement::{Actor, Assurance, Statement, Version};
use custos::clock::Clock;
use ed25519_dalek::SigningKey;
use uuid::Uuid;

use crate::Failure;

pub(crate) struct Speaker {
    pub(crate) vault: Digest,
    pub(crate) actor: Actor,
    pub(crate) key: SigningKey,
    pub(crate) clock: Arc<dyn Clock>,
}

impl Speaker {
    /// Signed registrations of items, `count` for each submitter, made in the order in which they will be said: names
    /// grow with time.
    pub(crate) fn registrations(
        &self,
        case: CaseId,
        submitters: usize,
        count: usize,
    ) -> Result<Vec<Vec<Vec<u8>>>, Failure> {
        let data =
            ItemRegistered { class: Class::Open, route: "cli".parse()?, sealing: None, sealed_by: None }
                .to_data();
        let mut prepared = vec![Vec::with_capacity(count); submitters];
        for _ in 0..count {
            for statements in &mut prepared {
                let statement = Statement {
                    case: Some(case),
                    item: Some(ItemId::new(Uuid::now_v7())),
                    ..self.said(Kind::ItemRegistered, data.clone())
                };
                statements.push(sign(PayloadType::Statement, &statement.to_bytes(), &[&self.key]));
            }
        }
        Ok(prepared)
    }

    /// A statement about nothing in particular yet.
    pub(crate) fn said(&self, kind: Kind, data: Object) -> Statement {
        let system = self.actor == Actor::System;
        Statement {
            actor: self.actor,
            actor_key: key_hash(&self.key.verifying_key()),
            actor_time: self.clock.now(),
            assurance: if system { Assurance::System } else { Assurance::UserKey },
            case: None,
            content: None,
            data,
            fields: BTreeMap::new(),
            item: None,
            items: None,
            kind,
            op_id: OpId::new(Uuid::now_v7().into_bytes()),
            person: None,
            purpose: None,
            seen: None,
            v: Version,
            vault: Some(self.vault),
        }
    }
}
