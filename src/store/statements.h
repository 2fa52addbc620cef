/*
 * statements - every SQL text of the project, and the layout they work on. Nothing else in the house holds SQL.
 *
 * meta         named single values: store id, tree revision, authenticated state
 * slot         key slots (crypt/keys.h)
 * entry        one row a path, live or deleted; `mac` binds it to its current version row
 * version      one row a kept version of an entry; `body` is the value, or its sealed form
 * rule         access rules
 * trail_batch  the records of one turn, framed; `frontier` now and then, so that opening re-hashes little
 */
#ifndef STORE_STATEMENTS_H
#define STORE_STATEMENTS_H

// clang-format off
#define STORE_SCHEMA_1                                                                                                 \
    "CREATE TABLE meta(name TEXT PRIMARY KEY, value BLOB NOT NULL) STRICT, WITHOUT ROWID;"                             \
    "CREATE TABLE slot(id INTEGER PRIMARY KEY, body BLOB NOT NULL) STRICT;"                                            \
    "CREATE TABLE entry(id INTEGER PRIMARY KEY, path TEXT NOT NULL, version INTEGER NOT NULL,"                         \
    " created_us INTEGER NOT NULL, created_by INTEGER NOT NULL, comment TEXT NOT NULL, mac BLOB NOT NULL) STRICT;"     \
    "CREATE TABLE version(entry INTEGER NOT NULL, version INTEGER NOT NULL, type INTEGER NOT NULL,"                    \
    " flags INTEGER NOT NULL, changed_us INTEGER NOT NULL, changed_by INTEGER NOT NULL, revision INTEGER NOT NULL,"    \
    " reason TEXT NOT NULL, body BLOB NOT NULL, mac BLOB NOT NULL, PRIMARY KEY(entry, version)) STRICT, WITHOUT ROWID;"\
    "CREATE TABLE rule(id INTEGER PRIMARY KEY, path TEXT NOT NULL, effect INTEGER NOT NULL, principal TEXT NOT NULL,"  \
    " actions INTEGER NOT NULL, created_us INTEGER NOT NULL, created_by INTEGER NOT NULL, mac BLOB NOT NULL) STRICT;"  \
    "CREATE TABLE trail_batch(first INTEGER PRIMARY KEY, count INTEGER NOT NULL, records BLOB NOT NULL,"               \
    " frontier BLOB) STRICT;"

#define STORE_SQL_LIST(X)                                                                                              \
    X(META_GET,        "SELECT value FROM meta WHERE name = ?1")                                                       \
    X(META_SET,        "INSERT INTO meta(name, value) VALUES(?1, ?2) ON CONFLICT(name) DO UPDATE SET value = ?2")      \
    X(SLOT_ADD,        "INSERT INTO slot(body) VALUES(?1)")                                                            \
    X(SLOT_EACH,       "SELECT id, body FROM slot ORDER BY id")                                                        \
    X(ENTRY_EACH,      "SELECT e.id, e.path, e.version, e.created_us, e.created_by, e.comment, e.mac,"                 \
                       " v.type, v.flags, v.changed_us, v.changed_by, v.revision, v.reason, v.body, v.mac"             \
                       " FROM entry e LEFT JOIN version v ON v.entry = e.id AND v.version = e.version ORDER BY e.id")  \
    X(ENTRY_GET,       "SELECT created_us, created_by, comment FROM entry WHERE id = ?1")                              \
    X(ENTRY_ADD,       "INSERT INTO entry(id, path, version, created_us, created_by, comment, mac)"                    \
                       " VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7)")                                                          \
    X(ENTRY_SET,       "UPDATE entry SET version = ?2, created_us = ?3, created_by = ?4, comment = ?5, mac = ?6"       \
                       " WHERE id = ?1")                                                                               \
    X(ENTRY_REMOVE,    "DELETE FROM entry WHERE id = ?1")                                                              \
    X(VERSION_ADD,     "INSERT INTO version(entry, version, type, flags, changed_us, changed_by, revision, reason,"    \
                       " body, mac) VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)")                                  \
    X(VERSION_GET,     "SELECT type, flags, changed_us, changed_by, revision, reason, body, mac FROM version"          \
                       " WHERE entry = ?1 AND version = ?2")                                                           \
    X(VERSION_EACH,    "SELECT version, type, flags, changed_us, changed_by, revision, reason, body, mac FROM version" \
                       " WHERE entry = ?1 ORDER BY version DESC")                                                      \
    X(VERSION_PRUNE,   "DELETE FROM version WHERE entry = ?1 AND version <= ?2")                                       \
    X(RULE_EACH,       "SELECT id, path, effect, principal, actions, created_us, created_by, mac FROM rule ORDER BY id")\
    X(RULE_ADD,        "INSERT INTO rule(id, path, effect, principal, actions, created_us, created_by, mac)"           \
                       " VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)")                                                      \
    X(RULE_REMOVE,     "DELETE FROM rule WHERE id = ?1")                                                               \
    X(BATCH_ADD,       "INSERT INTO trail_batch(first, count, records, frontier) VALUES(?1, ?2, ?3, ?4)")              \
    X(BATCH_LAST,      "SELECT first, count FROM trail_batch ORDER BY first DESC LIMIT 1")                             \
    X(BATCH_FRONTIER,  "SELECT first, count, frontier FROM trail_batch WHERE frontier IS NOT NULL AND first <= ?1"     \
                       " ORDER BY first DESC LIMIT 1")                                                                 \
    X(BATCH_FROM,      "SELECT first, count, records FROM trail_batch WHERE first >="                                  \
                       " coalesce((SELECT max(first) FROM trail_batch WHERE first <= ?1), 0) ORDER BY first")          \
    X(BATCH_AFTER,     "SELECT first, count, records FROM trail_batch WHERE first > ?1 ORDER BY first")                \
    X(BATCH_BEFORE,    "SELECT first, count, records FROM trail_batch WHERE first < ?1 ORDER BY first DESC")
// clang-format on

#endif
