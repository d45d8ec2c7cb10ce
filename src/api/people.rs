//! Organisations and persons, and who is signed in.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

wire! {
    /// `GET /api/v1/me`.
    Me {
        /// The signed-in person.
        person: Person,
        /// The label of the token in use.
        token_label: String,
        /// The enrolment that the token waits for: until its voucher has signed, the token answers nothing but this.
        #[serde(default)]
        enrolment: Option<String>,
    }
    /// A person, with what the reader may see.
    Person {
        /// Id.
        id: String,
        /// Organisation id.
        org: String,
        /// Name as entered, where the reader may see it.
        #[serde(default)]
        name: Option<String>,
        /// Roles in the vault that count now.
        roles: Vec<String>,
        /// Those that begin or end at some time, whether they count now or not.
        #[serde(default)]
        terms: Vec<RoleTerm>,
        /// Whether nothing that the person says counts.
        #[serde(default)]
        suspended: bool,
        /// Enrolled keys.
        keys: Vec<PersonKey>,
    }
    /// A role, and for how long.
    RoleTerm {
        /// The role.
        role: String,
        /// From when it counts; without it, from the grant on.
        #[serde(default)]
        from: Option<String>,
        /// Until when it counts; without it, until it is taken away.
        #[serde(default)]
        until: Option<String>,
    }
    /// An enrolled key.
    PersonKey {
        /// H(public key), hex.
        hash: String,
        /// Public key, hex.
        key: String,
        /// How the voucher made sure: `in-person`, `voice`, `none`.
        checked: String,
        /// Who vouched: `owner`, `registrar:<person>`, `vault`.
        voucher: String,
        /// Log index of its revocation, if revoked.
        #[serde(default)]
        revoked: Option<u64>,
        /// To whom secrets are sealed for whoever has it: an age recipient, once named.
        #[serde(default)]
        recipient: Option<String>,
        /// What its owner calls it; shown to them and to whoever may revoke it, where one person is asked for.
        #[serde(default)]
        name: Option<String>,
    }
    /// `PUT /api/v1/keys/{hash}/name`, and its answer.
    KeyName {
        /// What the key is called, 1 to 64 characters; none takes the name away.
        #[serde(default)]
        name: Option<String>,
    }
    /// `POST /api/v1/orgs`.
    NewOrg {
        /// Name as entered.
        name: String,
    }
    /// `POST /api/v1/persons`.
    NewPerson {
        /// Organisation id.
        org: String,
        /// Name as entered.
        name: String,
        /// Where letters go that say that something waits, if they are sent.
        #[serde(default)]
        email: Option<String>,
        /// Roles in the vault to grant at once.
        #[serde(default)]
        roles: Vec<String>,
    }
    /// `POST /api/v1/persons/{id}/roles`.
    RoleName {
        /// The role.
        role: String,
        /// From when it counts; without it, at once.
        #[serde(default)]
        from: Option<String>,
        /// Until when it counts; without it, until it is taken away.
        #[serde(default)]
        until: Option<String>,
    }
    /// One organisation.
    Org {
        /// Id.
        id: String,
        /// Name, where the reader may see it.
        #[serde(default)]
        name: Option<String>,
    }
    /// A list with a cursor.
    Orgs {
        /// The organisations.
        orgs: Vec<Org>,
    }
    /// `GET /api/v1/persons`.
    Persons {
        /// The persons.
        persons: Vec<Person>,
    }
}
