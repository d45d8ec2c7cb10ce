//! Every route, once: what is not in this list is neither served nor in the API's document, and what is in it says what
//! it asks of whoever calls it. Tests try all of them against the table of rights.

use actix_web::web::ServiceConfig;
use custody::rules::Right;
use utoipa::OpenApi;

use super::{api, signin};

/// What a route asks of whoever calls it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asks {
    /// Nothing: it is open to everybody.
    Nothing,
    /// To be signed in. What it shows or changes is one's own, or what everybody who is signed in may see.
    SignIn,
    /// A right in the vault.
    InVault(Right),
    /// A right in the vault, unless it is about oneself.
    OnOthers(Right),
    /// A right in the case that the address names.
    InCase(Right),
    /// A right in the case of the item that the address names.
    OnItem(Right),
    /// What the right is that the statement in the body takes: [`Right::needed`].
    ToSay,
}

/// A route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Route {
    /// Its name: the `operationId` of the API's document.
    pub name: &'static str,
    /// What it asks.
    pub asks: Asks,
}

macro_rules! routes {
    ($($($path:ident)::+ => $asks:expr;)*) => {
        /// Every route of the API, in the order of its document.
        pub const ROUTES: &[Route] = &[$(Route {
            name: last(concat!($(stringify!($path), ":"),+)),
            asks: $asks,
        }),*];

        pub(super) fn serve(service: &mut ServiceConfig) {
            service$(.service($($path)::+))*;
        }

        /// The API's document (`OpenAPI` 3.1).
        #[derive(Debug, OpenApi)]
        #[openapi(
            info(title = "Custos", description = "Evidence vault and chain of custody"),
            paths($($($path)::+),*),
            modifiers(&Security)
        )]
        pub struct Document;
    };
}

use Asks::{InCase, InVault, Nothing, OnItem, OnOthers, SignIn, ToSay};

routes! {
    api::log::livez => Nothing;
    api::log::readyz => Nothing;
    api::log::vault => Nothing;
    api::log::checkpoint => Nothing;
    api::log::keys => Nothing;
    api::log::entries => Nothing;
    api::log::tile => Nothing;
    api::people::me => SignIn;
    api::people::new_org => InVault(Right::RegisterOrg);
    api::people::orgs => SignIn;
    api::people::new_person => InVault(Right::RegisterPerson);
    api::people::persons => SignIn;
    api::people::person => SignIn;
    api::people::grant_role => InVault(Right::ChangeRoles);
    api::people::revoke_role => InVault(Right::ChangeRoles);
    api::people::invite => InVault(Right::Vouch);
    api::people::prepare_redemption => Nothing;
    api::people::redeem => Nothing;
    api::people::enrolments => SignIn;
    api::people::approve => SignIn;
    api::people::prepare_key => SignIn;
    api::people::add_key => SignIn;
    api::people::name_key => SignIn;
    api::people::revoke_key => OnOthers(Right::RevokeKeys);
    api::people::new_token => SignIn;
    api::people::tokens => SignIn;
    api::people::revoke_token => SignIn;
    api::people::end_tokens => OnOthers(Right::RevokeKeys);
    api::people::audit => InVault(Right::ReadAudit);
    signin::session::open => SignIn;
    signin::session::current => SignIn;
    signin::session::sign_out => SignIn;
    signin::session::list => SignIn;
    signin::session::end_others => SignIn;
    signin::session::end => SignIn;
    signin::session::confirm => SignIn;
    signin::password::sign_in => Nothing;
    signin::password::credentials => SignIn;
    signin::password::codes => SignIn;
    signin::password::set => SignIn;
    signin::password::remove => SignIn;
    signin::password::recovery_codes => SignIn;
    signin::passkey::prepare_passkey => SignIn;
    signin::passkey::add_passkey => SignIn;
    signin::passkey::remove_passkey => SignIn;
    signin::passkey::ask_for_passkey => Nothing;
    signin::passkey::sign_in_by_passkey => Nothing;
    signin::passkey::ask_to_confirm => SignIn;
    signin::passkey::confirm_by_passkey => SignIn;
    signin::certificate::add_certificate => SignIn;
    signin::certificate::remove_certificate => SignIn;
    signin::provider::providers => Nothing;
    signin::provider::ask_provider => Nothing;
    signin::provider::sign_in_by_provider => Nothing;
    signin::provider::prepare_link => SignIn;
    signin::provider::add_link => SignIn;
    signin::provider::remove_link => SignIn;
    api::cases::open_case => InVault(Right::OpenCase);
    api::cases::cases => SignIn;
    api::cases::case => InCase(Right::ReadRecords);
    api::cases::intake_form => InCase(Right::ReadRecords);
    api::cases::update_case => InCase(Right::UpdateCase);
    api::cases::close_case => InCase(Right::CloseCase);
    api::cases::reopen_case => InCase(Right::CloseCase);
    api::cases::add_member => InCase(Right::ChangeMembers);
    api::cases::members => InCase(Right::ReadRecords);
    api::cases::remove_member => InCase(Right::ChangeMembers);
    api::cases::register_item => InCase(Right::RegisterItem);
    api::cases::items => InCase(Right::ReadRecords);
    api::cases::search => InCase(Right::ReadRecords);
    api::cases::item => OnItem(Right::ReadRecords);
    api::cases::intake_receipts => OnItem(Right::ReadRecords);
    api::cases::classify => OnItem(Right::Classify);
    api::cases::case_custody => InCase(Right::ReadRecords);
    api::cases::item_custody => OnItem(Right::ReadRecords);
    api::cases::fixity => OnItem(Right::HoldCustody);
    api::cases::transfers => SignIn;
    api::cases::emergencies => InCase(Right::ReadRecords);
    api::cases::export => InCase(Right::Export);
    api::disposals::holds => InCase(Right::ReadRecords);
    api::disposals::disposals => InCase(Right::ReadRecords);
    api::disposals::person_disposals => InVault(Right::ApproveErasure);
    api::disposals::disposal => SignIn;
    api::disposals::certificate => SignIn;
    api::content::upload => OnItem(Right::RegisterItem);
    api::content::download => OnItem(Right::ReadContent);
    api::content::access => OnItem(Right::ReadContent);
    api::content::complete => OnItem(Right::ReadContent);
    api::content::redact => OnItem(Right::RegisterItem);
    api::sealing::halves => OnItem(Right::ReadContent);
    api::sealing::contribute => OnItem(Right::ReadContent);
    api::sealing::recipients => InCase(Right::ReadContent);
    api::sealing::reseal => OnItem(Right::ReadContent);
    api::sealing::receive_sealed => OnItem(Right::RegisterItem);
    api::sealing::sealed_content => OnItem(Right::ReadContent);
    api::content::bundle => SignIn;
    api::productions::productions => OnItem(Right::ReadRecords);
    api::productions::produce => OnItem(Right::ReadContent);
    api::statements::prepare => SignIn;
    api::statements::submit => ToSay;
    api::statements::on_behalf => ToSay;
    api::scrub::start => InVault(Right::RunVault);
    api::scrub::state => InVault(Right::RunVault);
}

/// The last of some names, each followed by a colon.
const fn last(path: &str) -> &str {
    let (path, _) = path.split_at(path.len() - 1);
    let mut from = path.len();
    while from > 0 && path.as_bytes()[from - 1] != b':' {
        from -= 1;
    }
    path.split_at(from).1
}

/// Every route asks for a token or a session unless it says otherwise.
struct Security;

impl utoipa::Modify for Security {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        use utoipa::openapi::security::{
            ApiKey, ApiKeyValue, Http, HttpAuthScheme, SecurityRequirement, SecurityScheme,
        };
        let scheme = SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer));
        let components = document.components.get_or_insert_default();
        components.add_security_scheme("token", scheme);
        let cookie = SecurityScheme::ApiKey(ApiKey::Cookie(ApiKeyValue::new("__Host-custos")));
        components.add_security_scheme("session", cookie);
        let either = ["token", "session"].map(|name| SecurityRequirement::new(name, Vec::<String>::new()));
        document.security = Some(either.into());
    }
}
