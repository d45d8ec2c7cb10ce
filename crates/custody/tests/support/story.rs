//! A vault in which everything happened once.

use super::*;

/// A small vault with a finished story: two cases, three exhibits, a view, a transfer of two items at once.
pub struct Story {
    pub vault: Vault,
    pub org: OrgId,
    pub admin: Person,
    pub lead: Person,
    pub custodian: Person,
    pub case: CaseId,
    pub items: Vec<ItemId>,
}

pub fn story(seed: u8) -> Story {
    story_with(seed, &[("photo.jpg", b"a photograph"), ("chat.txt", b"a chat"), ("clip.mp4", b"")])
}

pub fn story_with(seed: u8, exhibits: &[(&str, &[u8])]) -> Story {
    story_in(Vault::new(seed), exhibits)
}

/// The same in a vault that has begun.
pub fn story_in(mut vault: Vault, exhibits: &[(&str, &[u8])]) -> Story {
    let (org, admin, _) = vault.found();
    let lead = vault.enrol(&admin, org, "Kofi Mensah", Some(VaultRole::Investigator));
    let custodian = vault.enrol(&admin, org, "Esi Owusu", Some(VaultRole::Custodian));
    let other = vault.open_case(&custodian, "Something else");
    let case = vault.open_case(&lead, "The quarry, \"site 4\"");
    vault.add_member(&lead, case, &custodian, CaseRole::Custodian);
    let mut items = Vec::new();
    for (n, (name, bytes)) in exhibits.iter().enumerate() {
        let by = if n % 2 == 0 { By::Own(&lead) } else { By::OnBehalf(lead.id) };
        items.push(vault.put(by, case, name, bytes));
        vault.put(By::Own(&custodian), other, "unrelated", b"noise");
    }
    if let Some(first) = items.first().copied() {
        vault.view(By::Own(&custodian), case, first);
        let moved: Vec<_> = items.iter().copied().take(2).collect();
        vault.offer(&lead, &custodian, case, &moved);
        vault.answer(&custodian, case, &moved, Kind::TransferAccepted);
    }
    Story { vault, org, admin, lead, custodian, case, items }
}
