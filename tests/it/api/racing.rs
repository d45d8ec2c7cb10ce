//! Two who decide about the same disposal at once: whatever comes first, one outcome is on record, and it is that which
//! happens.

use custos::api;
use custos::app::setup;
use futures_util::future::join;
use serde_json::{Value, json};

use super::destruction::{approval, disposal, hold, people, proposed};
use super::stays::audited;
use crate::support::app::TestApp;
use crate::support::client::{Answer, Caller, draft};
use crate::support::world::Engine;

crate::on_both_engines! {
    of_two_who_decide_at_once_one_outcome_is_on_record
}

/// How often each race is run.
const TIMES: usize = 4;

/// An exhibit that Ben proposes to destroy.
async fn asked(asha: &Caller, ben: &Caller, case: &str, name: &str) -> (Value, String) {
    let item = asha.put(case, name, name.as_bytes()).await;
    let about = json!({ "case": case, "item": item, "purpose": "court-order" });
    let proposal = proposed(ben, &about).await;
    (about, proposal)
}

/// Whether it was recorded; refused as one of these otherwise.
fn came_through(answer: &Answer, refusals: &[&str]) -> bool {
    if answer.status == 201 {
        return true;
    }
    let problem: Value = serde_json::from_slice(&answer.body).unwrap();
    assert!(refusals.contains(&problem["code"].as_str().unwrap()), "{problem}");
    false
}

async fn of_two_who_decide_at_once_one_outcome_is_on_record(engine: Engine) {
    let mut app = TestApp::new(engine).await;
    let (asha, ben, prisca, case) = people(&app).await;
    let paul = app.enrol("Paul Prosecutor", &[]).await;
    asha.add_member(&case, &paul.id, "prosecutor").await.made::<api::Recorded>();
    let (mut destroyed, mut kept) = (Vec::new(), Vec::new());
    for n in 0..TIMES {
        // Two roles: both count.
        let (about, proposal) = asked(&asha, &ben, &case, &format!("both-{n}")).await;
        let (lead, prosecutor) =
            (approval(&about, &proposal, "lead", 0), approval(&about, &proposal, "prosecutor", 0));
        let (one, other) = join(asha.say(&lead), prisca.say(&prosecutor)).await;
        assert!(came_through(&one, &[]) && came_through(&other, &[]));
        assert_eq!(disposal(&asha, &proposal).await.approvals.len(), 2);
        destroyed.push(proposal);

        // One role, or one person: one counts.
        for (first, second) in [(&prisca, &paul), (&prisca, &prisca)] {
            let (about, proposal) = asked(&asha, &ben, &case, &format!("one-{n}")).await;
            let said = approval(&about, &proposal, "prosecutor", 0);
            let (one, other) = join(first.say(&said), second.say(&said)).await;
            let refusals = ["another-role", "another-person"];
            assert!(came_through(&one, &refusals) != came_through(&other, &refusals));
            assert_eq!(disposal(&asha, &proposal).await.approvals.len(), 1);
            kept.push(proposal);
        }

        // Agreed and declined: it is declined.
        let (about, proposal) = asked(&asha, &ben, &case, &format!("declined-{n}")).await;
        asha.say(&approval(&about, &proposal, "lead", 0)).await.made::<api::Recorded>();
        let more = json!({ "case": case, "item": about["item"], "data": { "proposal": proposal } });
        let (agreed, declined) =
            (approval(&about, &proposal, "prosecutor", 0), draft("disposal.declined", &more));
        let (agreed, declined) = join(prisca.say(&agreed), paul.say(&declined)).await;
        let agreed = came_through(&agreed, &["no-such-proposal"]);
        assert!(came_through(&declined, &[]));
        let found = disposal(&asha, &proposal).await;
        assert_eq!((found.stage.as_str(), found.approvals.len()), ("declined", 1 + usize::from(agreed)));
        kept.push(proposal);

        // Agreed, and put under a hold: the hold holds.
        let (about, proposal) = asked(&asha, &ben, &case, &format!("held-{n}")).await;
        asha.say(&approval(&about, &proposal, "lead", 0)).await.made::<api::Recorded>();
        let placed = hold(&case, about["item"].as_str());
        let agreed = approval(&about, &proposal, "prosecutor", 0);
        let (agreed, placed) = join(prisca.say(&agreed), paul.say(&placed)).await;
        let agreed = came_through(&agreed, &["held"]);
        assert!(came_through(&placed, &[]));
        let found = disposal(&asha, &proposal).await;
        assert_eq!((found.stage.as_str(), found.approvals.len()), ("proposed", 1 + usize::from(agreed)));
        assert!(found.waits.contains(&"a hold".to_owned()), "{:?}", found.waits);
        kept.push(proposal);
    }
    // The service looks by itself once a minute.
    app.stop().await;
    let service = setup::open(&app.config, None).await.unwrap();
    service.carry_out_disposals().await.unwrap();
    service.close().await;
    app.start().await;
    for proposal in &destroyed {
        assert_eq!(disposal(&asha, proposal).await.stage, "executed");
    }
    for proposal in &kept {
        let found = disposal(&asha, proposal).await;
        assert_ne!(found.stage, "executed", "{found:?}");
        let item: api::Item = asha.item(found.item.as_deref().unwrap()).await.ok();
        assert!(item.stored.is_some());
    }
    audited(&app).await;
}
