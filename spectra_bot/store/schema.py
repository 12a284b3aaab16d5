"""The tables. sqlite-utils owns their making and their migrations.

Events and shapes are only ever inserted; the rows that change (runs, interrupts) stay small.
"""

from __future__ import annotations

from sqlite_utils import Database, Migrations

APPLICATION_ID = 0x53504354
"""Marks a file as ours, in SQLite's own header field."""

migrations = Migrations("spectra-bot")


@migrations()
def m001_runs(db: Database) -> None:
    db.table("shapes").create({"digest": str, "body": str}, pk="digest", not_null={"body"})
    db.table("owners").create(
        {"owner_id": str, "boot_id": str, "pid_namespace": str, "pid": int, "beat": float},
        pk="owner_id",
        not_null={"boot_id", "pid", "beat"},
    )
    db.table("runs").create(
        {
            "run_id": str,
            "workflow": str,
            "status": str,
            "is_open": int,
            "seq": int,
            "owner": str,
            "epoch": int,
            "noted": int,
            "requested_by": str,
            "created_at": str,
            "updated_at": str,
            "error": str,
        },
        pk="run_id",
        not_null={"workflow", "status", "is_open", "seq", "epoch", "noted", "created_at", "updated_at"},
    )
    db.execute(
        "create table events (run_id text, seq integer, kind text not null, body text not null, "
        "primary key (run_id, seq)) without rowid"
    )
    db.table("interrupts").create(
        {
            "interrupt_id": str,
            "run_id": str,
            "seq": int,
            "status": str,
            "created_at": str,
            "deadline": str,
        },
        pk="interrupt_id",
        not_null={"run_id", "seq", "status", "created_at"},
    )
    db.table("attempts").create(
        {
            "interrupt_id": str,
            "handler": str,
            "purpose": str,
            "run_id": str,
            "attempts": int,
            "next_attempt_at": str,
            "last_error": str,
        },
        pk=("interrupt_id", "handler", "purpose"),
        not_null={"run_id", "attempts", "next_attempt_at", "last_error"},
    )
    db.execute("create index runs_open on runs (owner) where is_open = 1")
    db.execute("create index runs_noted on runs (owner) where noted = 1")
    db.execute("create index runs_created on runs (created_at)")
    db.execute("create index interrupts_run on interrupts (run_id)")
    db.execute("create index interrupts_pending on interrupts (created_at) where status = 'pending'")
    db.execute("create index interrupts_due on interrupts (deadline) where status = 'pending' and deadline is not null")
    db.execute("create index attempts_run on attempts (run_id)")


@migrations()
def m002_quiet_runs(db: Database) -> None:
    """A run that only waits for people needs no owner; one that was there counts as busy until it is looked at."""
    db.execute("alter table runs add column delivered_to text")
    db.execute("drop index runs_open")
    db.execute("create index runs_owned on runs (owner) where is_open = 1 and delivered_to is null")
    db.execute("create index runs_quiet on runs (delivered_to, owner) where delivered_to is not null")
    # A deadline of a workflow that nobody here knows may stay due for ever: it must not be looked at each time.
    db.execute("alter table interrupts add column workflow text")
    db.execute("update interrupts set workflow = (select workflow from runs r where r.run_id = interrupts.run_id)")
    db.execute("drop index interrupts_due")
    db.execute(
        "create index interrupts_due on interrupts (workflow, deadline) "
        "where status = 'pending' and deadline is not null"
    )
    # A process of the first version that is at work meanwhile goes on writing as it did, and knows neither column.
    db.execute(
        "create trigger runs_busy_again after update of status on runs "
        "when new.status <> 'interrupted' and new.delivered_to is not null "
        "begin update runs set delivered_to = null where run_id = new.run_id; end"
    )
    db.execute(
        "create trigger interrupts_of_workflow after insert on interrupts when new.workflow is null "
        "begin update interrupts set workflow = (select workflow from runs r where r.run_id = new.run_id) "
        "where interrupt_id = new.interrupt_id; end"
    )


SCHEMA_VERSION = 2
"""How many migrations this version knows; stored as `user_version`, so that an older program can refuse the file."""
