#pragma once
#include <sqlite3.h>
/* SQLITE_TRANSIENT and SQLITE_STATIC are cast macros, which Swift cannot import. */
static inline int sluice_sqlite3_bind_blob(sqlite3_stmt *s, int i, const void *p, sqlite3_uint64 n) {
    return sqlite3_bind_blob64(s, i, p, n, SQLITE_TRANSIENT);
}
/* The bytes must stay where they are until the statement was stepped and reset. */
static inline int sluice_sqlite3_bind_borrowed_blob(sqlite3_stmt *s, int i, const void *p, sqlite3_uint64 n) {
    return sqlite3_bind_blob64(s, i, p, n, SQLITE_STATIC);
}
static inline int sluice_sqlite3_bind_text(sqlite3_stmt *s, int i, const char *p, int n) {
    return sqlite3_bind_text(s, i, p, n, SQLITE_TRANSIENT);
}
