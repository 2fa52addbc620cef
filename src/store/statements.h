/*
 * statements - every SQL text of the project, and the layout they work on. Nothing else in the house holds SQL.
 *
 * meta     named single values: the store's id
 * slot     key slots (crypt/keys.h), what they are called, since when, and by whom
 * version  one row a version of an entry, in the order they were made: a row says all about its path at that time and
 *          names the row before it of the same entry. The newest row of a path is what holds; older ones are history.
 *          Rows are added at the end, and removed by a pass from the old end (registry-prune.c): a change touches one
 *          page and not one for each table and path
 * rule     access rules; an empty condition is none
 * role     who is a member of which role
 * approval requests that wait for a second person, sealed
 * schema   what is demanded of the entries at or below a path
 * turn     a ring of the last turns that changed something: their records, framed, with those before them that might
 * not be durable elsewhere (trail/trail.h), and the authenticated state after each
 *
 * A body stands last in its row: what comes before it is read without its overflow pages.
 */
#ifndef STORE_STATEMENTS_H
#define STORE_STATEMENTS_H

// clang-format off
#define STORE_SCHEMA_3                                                                                                 \
    "CREATE TABLE meta(name TEXT PRIMARY KEY, value BLOB NOT NULL) STRICT, WITHOUT ROWID;"                             \
    "CREATE TABLE slot(id INTEGER PRIMARY KEY, label TEXT NOT NULL, created_us INTEGER NOT NULL,"                      \
    " created_by INTEGER NOT NULL, mac BLOB NOT NULL, body BLOB NOT NULL) STRICT;"                                     \
    "CREATE TABLE version(id INTEGER PRIMARY KEY, path TEXT NOT NULL, previous INTEGER NOT NULL,"                      \
    " entry INTEGER NOT NULL, version INTEGER NOT NULL, type INTEGER NOT NULL, flags INTEGER NOT NULL,"                \
    " created_us INTEGER NOT NULL, created_by INTEGER NOT NULL, changed_us INTEGER NOT NULL,"                          \
    " changed_by INTEGER NOT NULL, revision INTEGER NOT NULL, expires_us INTEGER NOT NULL, reason TEXT NOT NULL,"      \
    " comment TEXT NOT NULL, tags TEXT NOT NULL, mac BLOB NOT NULL, body BLOB NOT NULL) STRICT;"                              \
    "CREATE TABLE rule(id INTEGER PRIMARY KEY, path TEXT NOT NULL, effect INTEGER NOT NULL, principal TEXT NOT NULL,"  \
    " actions INTEGER NOT NULL, condition TEXT NOT NULL, created_us INTEGER NOT NULL, created_by INTEGER NOT NULL,"    \
    " mac BLOB NOT NULL) STRICT;"                                                                                      \
    "CREATE TABLE role(id INTEGER PRIMARY KEY, name TEXT NOT NULL, principal TEXT NOT NULL,"                           \
    " created_us INTEGER NOT NULL, created_by INTEGER NOT NULL, mac BLOB NOT NULL) STRICT;"                            \
    "CREATE TABLE approval(id INTEGER PRIMARY KEY, path TEXT NOT NULL, uid INTEGER NOT NULL, op INTEGER NOT NULL,"     \
    " created_us INTEGER NOT NULL, expires_us INTEGER NOT NULL, mac BLOB NOT NULL, body BLOB NOT NULL) STRICT;"        \
    "CREATE TABLE schema(path TEXT PRIMARY KEY, form BLOB NOT NULL, created_us INTEGER NOT NULL,"                      \
    " created_by INTEGER NOT NULL, mac BLOB NOT NULL) STRICT, WITHOUT ROWID;"                                          \
    "CREATE TABLE turn(place INTEGER PRIMARY KEY, first INTEGER NOT NULL, count INTEGER NOT NULL, state BLOB NOT NULL,"\
    " seal BLOB NOT NULL, records BLOB NOT NULL) STRICT;"

#define STORE_VERSION_COLUMNS                                                                                          \
    "id, path, previous, entry, version, type, flags, created_us, created_by, changed_us, changed_by, revision,"       \
    " expires_us, reason, comment, tags, mac, body"

#define STORE_SQL_LIST(X)                                                                                              \
    X(META_GET,        "SELECT value FROM meta WHERE name = ?1")                                                       \
    X(META_SET,        "INSERT INTO meta(name, value) VALUES(?1, ?2) ON CONFLICT(name) DO UPDATE SET value = ?2")      \
    X(META_REMOVE,     "DELETE FROM meta WHERE name = ?1")                                                             \
    X(SLOT_ADD,        "INSERT INTO slot(id, label, created_us, created_by, mac, body) VALUES(?1, ?2, ?3, ?4, ?5, ?6)")\
    X(SLOT_EACH,       "SELECT id, label, created_us, created_by, mac, body FROM slot ORDER BY id")                    \
    X(SLOT_REMOVE,     "DELETE FROM slot WHERE id = ?1")                                                               \
    X(VERSION_EACH,    "SELECT " STORE_VERSION_COLUMNS " FROM version ORDER BY id DESC")                               \
    X(VERSION_GET,     "SELECT " STORE_VERSION_COLUMNS " FROM version WHERE id = ?1")                                  \
    X(VERSION_FROM,    "SELECT " STORE_VERSION_COLUMNS " FROM version WHERE id >= ?1 ORDER BY id")                     \
    X(VERSION_HEADS,   "SELECT id, path, version FROM version WHERE id >= ?1 ORDER BY id")                              \
    X(VERSION_ADD,     "INSERT INTO version(" STORE_VERSION_COLUMNS ")"                                                \
                       " VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18)")     \
    X(VERSION_SHRED,   "UPDATE version SET flags = ?2, mac = ?3, body = ?4 WHERE id = ?1")                             \
    X(VERSION_MAC,     "UPDATE version SET mac = ?2 WHERE id = ?1")                                                    \
    X(VERSION_SEALED,  "UPDATE version SET mac = ?2, body = ?3 WHERE id = ?1")                                         \
    X(VERSION_REMOVE,  "DELETE FROM version WHERE id BETWEEN ?1 AND ?2")                                               \
    X(RULE_EACH,       "SELECT id, path, effect, principal, actions, condition, created_us, created_by, mac FROM rule" \
                       " ORDER BY id")                                                                                 \
    X(RULE_ADD,        "INSERT INTO rule(id, path, effect, principal, actions, condition, created_us, created_by, mac)"\
                       " VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)")                                                  \
    X(RULE_REMOVE,     "DELETE FROM rule WHERE id = ?1")                                                               \
    X(ROLE_EACH,       "SELECT id, name, principal, created_us, created_by, mac FROM role ORDER BY id")                \
    X(ROLE_ADD,        "INSERT INTO role(id, name, principal, created_us, created_by, mac)"                            \
                       " VALUES(?1, ?2, ?3, ?4, ?5, ?6)")                                                              \
    X(ROLE_REMOVE,     "DELETE FROM role WHERE id = ?1")                                                               \
    X(APPROVAL_EACH,   "SELECT id, path, uid, op, created_us, expires_us, mac, body FROM approval ORDER BY id")        \
    X(APPROVAL_GET,    "SELECT id, path, uid, op, created_us, expires_us, mac, body FROM approval WHERE id = ?1")      \
    X(APPROVAL_ADD,    "INSERT INTO approval(id, path, uid, op, created_us, expires_us, mac, body)"                    \
                       " VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)")                                                      \
    X(APPROVAL_REMOVE, "DELETE FROM approval WHERE id = ?1")                                                           \
    X(RULE_MAC,        "UPDATE rule SET mac = ?2 WHERE id = ?1")                                                       \
    X(ROLE_MAC,        "UPDATE role SET mac = ?2 WHERE id = ?1")                                                       \
    X(APPROVAL_SEALED, "UPDATE approval SET mac = ?2, body = ?3 WHERE id = ?1")                                        \
    X(SCHEMA_EACH,     "SELECT path, form, created_us, created_by, mac FROM schema ORDER BY path")                     \
    X(SCHEMA_SET,      "INSERT INTO schema(path, form, created_us, created_by, mac) VALUES(?1, ?2, ?3, ?4, ?5)"        \
                       " ON CONFLICT(path) DO UPDATE SET form = ?2, created_us = ?3, created_by = ?4, mac = ?5")       \
    X(SCHEMA_MAC,      "UPDATE schema SET mac = ?2 WHERE path = ?1")                                                  \
    X(SCHEMA_REMOVE,   "DELETE FROM schema WHERE path = ?1")                                                           \
    X(TURN_SET,        "INSERT INTO turn(place, first, count, state, seal, records) VALUES(?1, ?2, ?3, ?4, ?5, ?6)"    \
                       " ON CONFLICT(place) DO UPDATE SET first = ?2, count = ?3, state = ?4, seal = ?5, records = ?6")\
    X(TURN_EACH,       "SELECT place, first, count, state, seal, records FROM turn ORDER BY first")
// clang-format on

#endif
