//! Statements about the halves of restricted items' keys.

use super::{Dialect, Insert, Sql};

statements! {
fixed {
    HALVE_OBJECT "objects" "UPDATE objects SET wrapped = $1, kek = $2, halved = TRUE WHERE object = $3 AND NOT halved";
    SEALED_HALVES "sealed_halves" "SELECT first, second, outer_to, inner_to, sealed FROM sealed_halves WHERE object = $1 ORDER BY first, \
        second";
    DESTROY_SEALED_HALVES "sealed_halves" "DELETE FROM sealed_halves WHERE object = $1";

    // Of the open grants of the helper, to open the item with the reader, the one under which something was contributed; by a key
    // that counts still, and of these halves.
    CONTRIBUTION "contributions" "SELECT c.sealed, g.record FROM grants g JOIN contributions c ON c.access = g.record JOIN keys k ON \
        k.hash = g.signed_by WHERE g.item = $1 AND g.person = $2 AND g.with_person = $3 AND NOT g.completed AND g.expires > $4 \
        AND k.revoked IS NULL AND c.halves = $5 ORDER BY g.expires DESC LIMIT 1";
    CONTRIBUTE "contributions" "INSERT INTO contributions (access, sealed, expires, halves) VALUES ($1, $2, $3, $4) ON CONFLICT (access) \
        DO UPDATE SET sealed = excluded.sealed, halves = excluded.halves";
    FORGET_CONTRIBUTIONS "contributions" "DELETE FROM contributions WHERE expires <= $1";
    FORGET_CONTRIBUTION "contributions" "DELETE FROM contributions WHERE access = $1";
    FORGET_CONTRIBUTIONS_TO "contributions" "DELETE FROM contributions WHERE access IN (SELECT record FROM grants WHERE item = $1)";

    RESEALING "resealings" "SELECT object, halves, wrapped, kek FROM resealings WHERE object = $1";
    RESEALED_HALVES "resealed_halves" "SELECT first, second, outer_to, inner_to, sealed FROM resealed_halves WHERE object = $1 ORDER BY \
        first, second";
    FORGET_RESEALING "resealings" "DELETE FROM resealings WHERE object = $1";
    FORGET_RESEALED_HALVES "resealed_halves" "DELETE FROM resealed_halves WHERE object = $1";
    FORGET_OLD_RESEALED_HALVES "resealed_halves" "DELETE FROM resealed_halves WHERE object IN (SELECT object FROM resealings WHERE \
        expires <= $1)";
    FORGET_OLD_RESEALINGS "resealings" "DELETE FROM resealings WHERE expires <= $1";
    TAKE_NEW_KEY "objects" "UPDATE objects SET wrapped = (SELECT r.wrapped FROM resealings r WHERE r.object = objects.object), kek = \
        (SELECT r.kek FROM resealings r WHERE r.object = objects.object) WHERE object = $1 AND halved AND state <> 'shredded' AND \
        EXISTS (SELECT 1 FROM resealings r WHERE r.object = objects.object AND r.halves = $2)";
    TAKE_NEW_HALVES "sealed_halves" "INSERT INTO sealed_halves (object, first, second, outer_to, inner_to, sealed) SELECT object, first, \
        second, outer_to, inner_to, sealed FROM resealed_halves WHERE object = $1";
    RESEALINGS_BEFORE_KEK "resealings" "SELECT o.object, o.item, o.manifest, r.wrapped, r.kek, o.size, o.state, o.halved FROM resealings \
        r JOIN objects o ON o.object = r.object WHERE r.kek < $1 ORDER BY r.kek, r.object LIMIT $2";
    REWRAP_RESEALING "resealings" "UPDATE resealings SET wrapped = $1, kek = $2 WHERE object = $3 AND kek = $4";
    RESTRICTED_ITEMS "items" concat!("SELECT ", item_columns!(), " FROM items WHERE class = 'restricted' AND NOT disposed AND id > $1 \
        ORDER BY id LIMIT $2");
}
keyed {
}
inserts {
    INSERT_SEALED_HALVES "sealed_halves" [
        "object BYTEA" "first TEXT" "second TEXT" "outer_to TEXT" "inner_to TEXT" "sealed BYTEA"
    ] "";
    INSERT_RESEALED_HALVES "resealed_halves" [
        "object BYTEA" "first TEXT" "second TEXT" "outer_to TEXT" "inner_to TEXT" "sealed BYTEA"
    ] "";
    INSERT_RESEALINGS "resealings" [
        "object BYTEA" "halves BYTEA" "wrapped BYTEA" "kek BIGINT" "expires BIGINT"
    ] "";
}
}
