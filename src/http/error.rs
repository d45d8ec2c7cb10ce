//! Errors on the wire: RFC 9457 problems from one table of codes.
//!
//! A code is never renamed. What a client sees is the rule and the remedy; causes go to the log under the request id.

use actix_web::error::JsonPayloadError;
use actix_web::http::{StatusCode, header};
use actix_web::{HttpRequest, HttpResponse, ResponseError};

use crate::api::Problem;
use crate::app::AppError;

/// One row: code, status, title, remedy.
pub type Row = (&'static str, u16, &'static str, &'static str);

/// The table. Its order is that of the documentation page.
pub const TABLE: &[Row] = &[
    (
        "unauthenticated",
        401,
        "Not signed in",
        "sign in, or send a valid API token as `Authorization: Bearer cus_…`",
    ),
    (
        "key-waiting",
        403,
        "The key waits for its voucher",
        "ask whoever invited you to approve your key (custos key approve); then repeat the request",
    ),
    (
        "sign-in-failed",
        401,
        "Not signed in",
        "check name and password and take the next code; who has lost the device uses a recovery code, and who has lost \
         all of it asks a registrar for a new invitation",
    ),
    ("wrong-code", 403, "The code does not count", "wait for the next code, or use a recovery code"),
    ("password-unfit", 422, "Not a good password", "take several words that belong together for nobody else"),
    (
        "passkey-refused",
        403,
        "The passkey does not count",
        "begin again, with the authenticator on this device",
    ),
    (
        "passkey-copied",
        403,
        "The passkey was copied",
        "the passkey was removed and all sessions of its person ended: tell the administrator, who ends all other access \
         if anybody else may have signed in with it; sign in by password, or ask a registrar for a new invitation",
    ),
    ("passkey-not-kept", 422, "The passkey is not kept", "take an authenticator that keeps passkeys"),
    (
        "certificate-needed",
        403,
        "No certificate was shown",
        "connect with a certificate of an authority that the vault's operator names (custos: --client-cert, --client-key)",
    ),
    ("provider-refused", 403, "The provider's answer does not count", "begin again, in this browser"),
    (
        "provider-silent",
        502,
        "The provider does not answer",
        "sign in otherwise, or tell the administrator: the vault's log says more",
    ),
    ("name-taken", 409, "The name is taken", "sign in with another name"),
    (
        "cross-site",
        403,
        "Asked by another site",
        "ask from the vault's own pages, which send `Sec-Fetch-Site: same-origin` and the configured `origin`; programs \
         use an API token",
    ),
    (
        "confirmation-needed",
        403,
        "Confirm that it is you",
        "show a second factor in a session (POST /api/v1/session/confirm), then repeat the request",
    ),
    ("not-found", 404, "Not found", "check the id; for a case or item ask its lead to add you as a member"),
    ("invalid-request", 400, "The request cannot be understood", "correct the request as the detail says"),
    (
        "invalid-statement",
        422,
        "The statement's shape is wrong",
        "build the statement as docs/FORMAT.md says, or use statements/prepare",
    ),
    (
        "invalid-envelope",
        422,
        "The envelope does not verify",
        "sign the exact bytes from statements/prepare with the enrolled key",
    ),
    (
        "bad-signature",
        422,
        "A signature does not verify",
        "sign the exact bytes from statements/prepare with the enrolled key",
    ),
    ("too-late", 409, "Somebody else was first", "read the present state and decide anew"),
    (
        "opening-mismatch",
        422,
        "A field's opening does not fit",
        "send exactly the openings that belong to the statement's fields",
    ),
    (
        "op-id-reused",
        409,
        "The op_id names another statement",
        "use a fresh op_id for a new act; repeat the identical request to get the first receipt",
    ),
    (
        "digest-mismatch",
        422,
        "The bytes differ from what was announced",
        "send the original file again, or register the item anew with the right digest",
    ),
    ("truncated", 400, "The upload ended early", "send the content again; nothing was stored"),
    ("too-large", 413, "The content is too large", "send no more bytes than were registered"),
    (
        "range-not-satisfiable",
        416,
        "The range is outside the content",
        "ask for bytes within the content's size",
    ),
    (
        "access-grant-needed",
        403,
        "No open access grant",
        "POST …/access with a purpose first and send its id as ?access=",
    ),
    (
        "invitation-invalid",
        403,
        "The invitation cannot be redeemed",
        "ask the registrar for a new invitation",
    ),
    (
        "not-published",
        503,
        "Nothing is published yet",
        "ask again in a second; if it stays so, `GET /readyz` says why",
    ),
    (
        "log-key-replaced",
        503,
        "The vault must be started again",
        "tell the administrator: the log has a new key, and the service must be started again to read it",
    ),
    (
        "log-key-gone",
        410,
        "The bundle cannot be made again",
        "export the case anew: the log's key of that time was removed from the keyring",
    ),
    (
        "recovery-unchecked",
        409,
        "The recovery kit was not checked",
        "whoever runs the vault prints the recovery sheet (custos key recovery-sheet) and checks it (custos key \
         check-recovery)",
    ),
    (
        "destroyed",
        410,
        "Something of it was destroyed",
        "make a new export: it has everything that is left, and says what was destroyed",
    ),
    (
        "kek-replaced",
        503,
        "The vault must be started again",
        "tell the administrator: the vault has a new key encryption key, and the service must be started again to read it",
    ),
    (
        "storage-full",
        507,
        "Storage is full",
        "tell the administrator; the request can be repeated once there is room",
    ),
    (
        "too-slow",
        408,
        "The upload comes too slowly",
        "send the content again over a line that takes at least 16 KiB in 30 s, and fewer files at a time",
    ),
    ("busy", 503, "Too much at once", "send the request again as soon as Retry-After says"),
    ("no-such-address", 404, "No such address", "compare method and path with /openapi.json"),
    ("method-not-allowed", 405, "Another method", "use a method that the `Allow` header names"),
    ("too-many-requests", 429, "Too many requests", "wait as long as Retry-After says"),
    (
        "internal",
        500,
        "Something failed inside",
        "repeat the request; if it fails again give the request id to the administrator",
    ),
    ("not-permitted", 403, "Not permitted", "ask the case's lead or the administrator for the role"),
    (
        "not-custodian",
        403,
        "Not the custodian",
        "only the present custodian may offer, move, seal or unseal the item, or recall its offer",
    ),
    ("not-receiver", 403, "Not the receiver", "only the person named in the offer may answer it"),
    (
        "actor-suspended",
        403,
        "Suspended",
        "an administrator or registrar restores you, once it is sure who you are",
    ),
    ("person-suspended", 409, "The person is suspended", "restore the person first"),
    ("not-suspended", 409, "The person is not suspended", "nothing is to be restored"),
    (
        "key-not-valid",
        403,
        "The key does not count",
        "enrol a key, or sign with one that is enrolled and not revoked",
    ),
    (
        "wrong-assurance",
        403,
        "The key does not fit the assurance",
        "sign with your own key; the vault's key signs only for itself",
    ),
    (
        "not-voucher",
        403,
        "Not a voucher",
        "sign the enrolment with an earlier key of its owner or a registrar's own key",
    ),
    (
        "administrator-apart",
        403,
        "Administrators stay out of cases",
        "use a person without the administrator's role",
    ),
    (
        "wrong-signatures",
        422,
        "Wrong number of signatures",
        "give the signatures that the kind asks for, the actor's first",
    ),
    ("key-known", 409, "The key is enrolled already", "make a new key"),
    ("unknown", 404, "Something named does not exist", "check the ids in the statement"),
    ("exists", 409, "It exists already", "use a new id"),
    (
        "stale",
        409,
        "Something changed meanwhile",
        "read the item's custody again, look at what changed, and sign anew",
    ),
    (
        "seen-elsewhere",
        409,
        "What was seen is not of this sequence",
        "name a record of the same item, case or person",
    ),
    (
        "other-vault",
        409,
        "The statement is for another vault",
        "check the vault's fingerprint in your profile",
    ),
    ("offer-pending", 409, "An offer waits", "wait for the answer to the offer"),
    ("no-such-offer", 409, "Not the offer that waits", "read the item again and name its present offer"),
    ("offer-too-long", 422, "An offer waits too long", "let it run out within ninety days from now"),
    ("offer-expired", 409, "The offer ran out", "ask the custodian to offer the item again"),
    ("offer-waits", 409, "The offer still waits", "wait until it runs out, or let its author recall it"),
    ("sealed", 409, "Sealed already", "record that the present seal was broken, then put on the next one"),
    ("no-such-seal", 409, "Not the seal that is on it", "read the item again and name its present seal"),
    ("offer-to-self", 422, "Offered to its own custodian", "name another member of the case"),
    (
        "sealing-unfit",
        422,
        "The item cannot be sealed to these",
        "name pairs of members in different roles who have named a recipient; at least two that have nobody in common",
    ),
    (
        "sealed-to-persons",
        409,
        "The item is sealed to persons",
        "two of those to whom it is sealed open it together: custos open",
    ),
    (
        "opened-in-pairs",
        403,
        "A restricted item is opened by two",
        "let both of a pair ask, each under their own key and naming the other: custos open --with",
    ),
    ("no-emergency", 409, "No emergency is needed", "ask for access in the ordinary way"),
    ("emergency-too-long", 422, "An emergency lasts an hour at most", "ask again when the hour is over"),
    (
        "nothing-to-review",
        409,
        "Nothing waits for this review",
        "GET /api/v1/cases/{id}/emergencies shows what does",
    ),
    ("not-in-pairs", 409, "The item is read alone", "ask for it without naming anybody to open it with"),
    ("hash-only", 422, "Hash-only items take no bytes", "send digest and size with the item, and no content"),
    ("content-exists", 409, "The item has content already", "register a new item; nothing is overwritten"),
    ("no-content", 409, "The vault holds no content of this item", "upload the content first"),
    ("role", 409, "The role is there already, or not", "read the person's or case's roles"),
    (
        "term",
        422,
        "The term is over before it begins",
        "let the role end later than it begins, and later than now",
    ),
    ("case-closed", 403, "The case is closed", "ask the case's lead to reopen it (custos case reopen)"),
    ("case-state", 409, "The case is closed already, or open", "nothing is to be closed or reopened"),
    ("too-many-updates", 409, "Updated too often", "say it in the fields of an item, or open another case"),
    ("grant", 409, "The grant is not open", "ask for a new access grant"),
    ("grant-too-long", 422, "The grant lasts too long", "ask for a grant that ends within a day"),
    ("set-up-only", 403, "Only during set-up", "let an administrator or registrar do it"),
    (
        "last-one",
        409,
        "The last one stays",
        "give the role to somebody else first, who can take it from you; or enrol another key first",
    ),
    (
        "holds-custody",
        409,
        "The member has custody",
        "let them transfer what they hold and decline what they are offered, then remove them",
    ),
    ("other-log-key", 409, "Not the log's present key", "read which key the log has: GET /api/v1/vault"),
    (
        "too-many-log-keys",
        409,
        "Too many keys of this log",
        "a log that has had all its keys ends; found another vault",
    ),
    ("log-key-unfit", 422, "No key for this log", "use a new plain Ed25519 key under the log's name"),
    (
        "held",
        409,
        "A hold is on it",
        "wait until whoever placed the hold, or a court, has it released: custos hold list",
    ),
    (
        "no-such-hold",
        409,
        "Not a hold that is on it",
        "list the holds of the case, and name one that is not released",
    ),
    (
        "no-such-proposal",
        409,
        "Not a proposal that waits",
        "list the disposals, and name one that waits for this",
    ),
    ("proposal-lapsed", 409, "The proposal lapsed", "propose it again: a hold came between"),
    (
        "another-person",
        403,
        "It takes another person",
        "let two others approve: neither who proposed it nor who has approved it already",
    ),
    (
        "another-role",
        409,
        "It takes another role",
        "approve in a role of yours that approves disposals and in which nobody has approved it",
    ),
    (
        "exports-changed",
        409,
        "Bundles were exported since",
        "read the disposal again, look at the exports, and approve anew",
    ),
    ("not-approved", 409, "Approvals are missing", "wait for two approvals"),
    (
        "disposed",
        410,
        "The content was destroyed",
        "its records are all that is left; ask for an older export",
    ),
    ("keys-remain", 409, "Keys remain", "custos key rotate-kek destroys the versions before"),
    ("kek-order", 409, "Not the next version", "repeat: custos key rotate-kek"),
    ("not-an-anchor", 422, "No checkpoint of this log", "name a checkpoint that the log's key has signed"),
];

/// When an upload that found no room is worth another try.
const BUSY_SECONDS: u32 = 10;

/// The row of a code.
pub fn row(code: &str) -> Row {
    let internal = ("internal", 500, "Something failed inside", "repeat the request");
    TABLE.iter().copied().find(|row| row.0 == code).unwrap_or(internal)
}

impl ResponseError for AppError {
    fn status_code(&self) -> StatusCode {
        StatusCode::from_u16(row(self.code()).1).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    fn error_response(&self) -> HttpResponse {
        problem(self, &request_id())
    }
}

/// Builds the answer, and logs what happened inside with its causes.
fn problem(error: &AppError, request_id: &str) -> HttpResponse {
    let (code, status, title, remedy) = row(error.code());
    let detail = if let AppError::Internal { context, source } = error {
        tracing::error!(request_id, error = %chain(source.as_ref()), "{context} failed");
        "the cause is in the server's log under the request id".to_owned()
    } else {
        error.to_string()
    };
    let body = Problem {
        kind: format!("https://custos.invalid/errors/{code}"),
        title: title.to_owned(),
        status,
        code: code.to_owned(),
        detail,
        remedy: remedy.to_owned(),
        request_id: request_id.to_owned(),
    };
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = HttpResponse::build(status);
    response.content_type("application/problem+json");
    match error {
        AppError::Range(size) => response.insert_header((header::CONTENT_RANGE, format!("bytes */{size}"))),
        AppError::TooMany(seconds) => response.insert_header((header::RETRY_AFTER, seconds.to_string())),
        AppError::Busy => response.insert_header((header::RETRY_AFTER, BUSY_SECONDS)),
        AppError::Method(allowed) => response.insert_header((header::ALLOW, allowed.as_str())),
        AppError::Unauthenticated | AppError::SignInFailed => {
            response.insert_header((header::WWW_AUTHENTICATE, "Bearer realm=\"custos\""))
        }
        _ => &mut response,
    };
    response.json(body)
}

/// Malformed JSON: the same shape of answer as everything else.
pub fn malformed_json(error: &JsonPayloadError, _: &HttpRequest) -> actix_web::Error {
    let invalid = |text: &str| AppError::Invalid(text.to_owned());
    match error {
        JsonPayloadError::Overflow { .. } | JsonPayloadError::OverflowKnownLength { .. } => {
            AppError::TooLarge.into()
        }
        JsonPayloadError::ContentType => invalid("send JSON with `Content-Type: application/json`").into(),
        JsonPayloadError::Deserialize(error) => {
            AppError::Invalid(format!("JSON: {}", without_values(&error.to_string()))).into()
        }
        _ => invalid("the body ended early or cannot be read").into(),
    }
}

/// Malformed path or query.
pub fn malformed(error: &dyn std::fmt::Display, _: &HttpRequest) -> actix_web::Error {
    AppError::Invalid(format!("address: {}", without_values(&error.to_string()))).into()
}

/// What a parser says without what it quotes: names and values in a request may be personal and belong in no answer,
/// which proxies and browsers keep.
fn without_values(text: &str) -> String {
    if text.starts_with("missing field") {
        return text.to_owned();
    }
    let quoted = text.rsplit_once(", expected ").map(|(_, expected)| format!("expected {expected}"));
    let place = || text.rsplit_once(" at line ").map(|(_, place)| format!("malformed at line {place}"));
    quoted.or_else(place).unwrap_or_else(|| "a name or a value that does not fit".to_owned())
}

fn request_id() -> String {
    uuid::Uuid::new_v4().simple().to_string()
}

pub(super) fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        next = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_request_said_is_not_repeated() {
        let error = serde_json::from_str::<u32>("\"Asha, expected x\"").unwrap_err().to_string();
        assert!(error.contains("Asha"), "{error}");
        assert_eq!(without_values(&error), "expected u32 at line 1 column 18");
        assert_eq!(without_values("missing field `title` at line 1"), "missing field `title` at line 1");
        assert_eq!(without_values("unknown field `Asha`"), "a name or a value that does not fit");
    }

    #[test]
    fn whoever_is_to_come_again_is_told_when() {
        for (error, status) in [(AppError::Busy, 503), (AppError::TooMany(7), 429)] {
            let answer = error.error_response();
            assert_eq!(answer.status(), status);
            let seconds: u32 =
                answer.headers().get("retry-after").unwrap().to_str().unwrap().parse().unwrap();
            assert!(seconds > 0);
        }
    }

    #[test]
    fn every_code_has_one_row() {
        let mut codes: Vec<_> = TABLE.iter().map(|row| row.0).collect();
        codes.sort_unstable();
        let count = codes.len();
        codes.dedup();
        assert_eq!(codes.len(), count);
        assert_eq!(row("stale").1, 409);
    }
}
