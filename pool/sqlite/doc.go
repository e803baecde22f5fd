// Package sqlite opens the pool's databases so that a power cut costs nothing
// that was acknowledged.
//
// SQLite allows one writer at a time, so a [DB] owns exactly one writing
// connection. Update lends it out as a transaction that takes the write lock at
// its beginning (BEGIN IMMEDIATE): two updates queue in Go instead of failing
// with "database is locked" half way through. Everybody who only reads uses
// [DB.Reader], a pool of read-only connections. In write-ahead-log mode readers
// see the last committed state and never wait for the writer:
//
//	Update ──► one connection ──► x.db-wal ──checkpoint──► x.db
//	                                  └──────┬───────────────┘
//	Reader ◄── read-only connections ◄───────┘
//
// With synchronous=FULL each commit is fsynced into the -wal file before Update
// returns. The file x.db alone is therefore not a backup; [DB.Backup] makes one.
//
// # Migrations
//
// A [Schema] is a set of files 0001_name.sql, 0002_name.sql and so on, which are
// only ever added. The number of the last one applied is the database's PRAGMA
// user_version. Each file runs in a transaction of its own together with that
// pragma, so a crash leaves the database exactly between two files. A migration has
// no way back: who opens a database that matters asks [Version] first and makes a
// [Copy]. A database with a higher number than the newest file was made by a newer
// program and is refused without a byte of it being changed.
//
// The package knows no table. SQL belongs to the packages that own the tables.
package sqlite
