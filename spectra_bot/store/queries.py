"""The SQL of the store, each change one statement that checks and sets."""

from __future__ import annotations

from collections.abc import Sequence

CREATE_RUN = """
    insert into runs (run_id, workflow, status, is_open, seq, owner, epoch, noted,
                      requested_by, created_at, updated_at, error)
    values (?, ?, ?, ?, ?, ?, 1, 0, ?, ?, ?, ?)
    on conflict (run_id) do nothing
"""
ADD_SHAPE = "insert into shapes (digest, body) values (?, ?) on conflict (digest) do nothing"
SHAPE = "select body from shapes where digest = ?"

APPEND_AS_OWNER = """
    update runs set seq = ?, updated_at = ?, status = ?, is_open = ?, delivered_to = ?, error = ?
     where run_id = ? and seq = ? and owner = ? and epoch = ?
"""
# Most appends leave the status as it is, and a column that is set costs the upkeep of every index that names it.
APPEND_AS_OWNER_ONLY = """
    update runs set seq = ?, updated_at = ? where run_id = ? and seq = ? and owner = ? and epoch = ?
"""
APPEND_FROM_OUTSIDE = """
    update runs set seq = ?, updated_at = ?, status = ?, is_open = ?, delivered_to = ?, error = ?, noted = 1
     where run_id = ? and seq = ?
"""
ADD_EVENT = "insert into events (run_id, seq, kind, body) values (?, ?, ?, ?)"
EVENTS = "select seq, kind, body from events where run_id = ? and seq > ? order by seq"

OPEN_INTERRUPT = """
    insert into interrupts (interrupt_id, run_id, workflow, seq, status, created_at, deadline)
    values (?, ?, ?, ?, 'pending', ?, ?)
"""
CLOSE_INTERRUPT = "update interrupts set status = ? where interrupt_id = ? and status = 'pending'"
RUN_OF = "select run_id from interrupts where interrupt_id = ?"

_IS_ORPHAN = """
    owner is not :me and (owner is null or owner not in (
        select owner_id from owners where boot_id = :boot_id and beat between :since and :until))
"""
# A step whose owner died under it has crashed, but not one that someone else's answer set going after that.
_CLAIMED = "r.run_id, r.epoch, r.seq, r.delivered_to, r.owner is not null and r.noted = 0"
_IS_FREE = f"r.run_id not in (select value from json_each(:except)) and {_IS_ORPHAN}"  # noqa: S608  only constants
CLAIMABLE_RUN = f"""
    select {_CLAIMED}, owner is :me from runs r
     where run_id = :run_id and workflow in (:workflows) and (owner is :me or :may_take and {_IS_ORPHAN})
"""  # noqa: S608
ORPHANS = f"""
    select {_CLAIMED} from runs r indexed by runs_owned
     where is_open = 1 and delivered_to is null and workflow in (:workflows) and {_IS_FREE}
     order by run_id limit :limit
"""  # noqa: S608
# The quiet runs are many and the lists of handlers few: those are found by as many jumps in the index.
UNDELIVERED = f"""
    with recursive known (handlers) as (
        select min(delivered_to) from runs where delivered_to is not null
        union all
        select (select min(delivered_to) from runs where delivered_to > handlers) from known where handlers is not null
    )
    select {_CLAIMED} from runs r
     where delivered_to in (
            select handlers from known where exists (
                select 1 from json_each(:handlers) here
                 where here.value not in (select value from json_each(known.handlers))))
       and workflow in (:workflows) and {_IS_FREE}
     limit :limit
"""  # noqa: S608
OVERDUE = f"""
    select {_CLAIMED} from interrupts i join runs r on r.run_id = i.run_id
     where i.status = 'pending' and i.workflow in (:workflows) and i.deadline <= :now and i.deadline is not null
       and {_IS_FREE}
     limit :limit
"""  # noqa: S608
MARK_QUIET = "update runs set delivered_to = ? where run_id = ? and seq = ? and owner = ? and epoch = ?"
# Whoever takes a run reads all of it, notes included; if it dies too, what was set going has crashed under it.
TAKE_RUN = "update runs set owner = ?, epoch = epoch + 1, noted = 0 where run_id = ?"
OWNER_OF = "select owner, epoch from runs where run_id = ?"
BEAT = """
    insert into owners (owner_id, boot_id, pid_namespace, pid, beat) values (?, ?, ?, ?, ?)
    on conflict (owner_id) do update set beat = excluded.beat
"""
OWNERS = "select owner_id, boot_id, pid_namespace, pid from owners"
RELEASE_RUNS = "update runs set owner = null where owner = ? and is_open = 1 and delivered_to is null"
RELEASE_RUN = "update runs set owner = null where run_id = ? and owner = ? and epoch = ?"
FORGET_OWNER = "delete from owners where owner_id = ?"
FORGET_OWNERS = "delete from owners"
NOTED = "select run_id from runs where owner = ? and noted = 1"
CLEAR_NOTE = "update runs set noted = 0 where run_id = ? and owner = ? and seq = ? and noted = 1"

DUE = """
    select i.run_id, i.interrupt_id from interrupts i join runs r on r.run_id = i.run_id
     where i.status = 'pending' and i.workflow in (:workflows) and i.deadline <= :now and i.deadline is not null
       and r.owner = :me and i.interrupt_id not in (select value from json_each(:except))
     limit :limit
"""
NEXT_DEADLINE = """
    select min(i.deadline) from interrupts i join runs r on r.run_id = i.run_id
     where i.status = 'pending' and i.workflow in (:workflows) and i.deadline > :now and i.deadline <= :until
       and i.deadline is not null and r.owner = :me
"""

_SUMMARY = """
    select r.run_id, r.workflow, r.status, r.requested_by, r.created_at, r.updated_at, r.error,
           (select count(*) from interrupts i where i.run_id = r.run_id and i.status = 'pending')
      from runs r
"""
SUMMARY = _SUMMARY + " where r.run_id = ?"
LIST_RUNS = (
    _SUMMARY
    + """
     where (:status is null or r.status = :status) and (:workflow is null or r.workflow = :workflow)
     order by r.created_at desc limit :limit
"""
)
_PENDING = """
    select e.body from interrupts i join events e on e.run_id = i.run_id and e.seq = i.seq
     where i.status = 'pending'
"""
PENDING = _PENDING + " and :run_id is null order by i.created_at limit :limit"
PENDING_OF_RUN = _PENDING + " and i.run_id = :run_id order by i.seq limit :limit"
PENDING_AFTER = """
    select created_at, interrupt_id, run_id from interrupts
     where status = 'pending' and (created_at, interrupt_id) > (?, ?)
     order by created_at, interrupt_id limit ?
"""

ATTEMPTS = "select interrupt_id, handler, purpose, attempts, next_attempt_at, last_error from attempts where run_id = ?"
FAILED_ATTEMPT = """
    insert into attempts (interrupt_id, handler, purpose, run_id, attempts, next_attempt_at, last_error)
    values (?, ?, ?, ?, ?, ?, ?)
    on conflict (interrupt_id, handler, purpose) do update set
        attempts = excluded.attempts, next_attempt_at = excluded.next_attempt_at, last_error = excluded.last_error
"""
FORGET_ATTEMPTS = "delete from attempts where interrupt_id = ? and handler = ? and purpose = ?"

_ENDED = """
    is_open = 0 and updated_at < :before and status in (select value from json_each(:statuses))
"""
ENDED_RUNS = f"select run_id, status from runs where {_ENDED} order by updated_at"  # noqa: S608
PRUNE_RUNS = f"""
    delete from runs where run_id in (select value from json_each(:runs)) and {_ENDED} returning run_id, status
"""  # noqa: S608  only constants are put in
PRUNE_EVENTS = "delete from events where run_id in (select value from json_each(?))"
PRUNE_INTERRUPTS = "delete from interrupts where run_id in (select value from json_each(?))"
PRUNE_ATTEMPTS = "delete from attempts where run_id in (select value from json_each(?))"
_IS_UNUSED = """
    digest not in (
        select json_extract(e.body, '$.shape') from runs r join events e on e.run_id = r.run_id and e.seq = 1
         where json_valid(e.body) and json_extract(e.body, '$.shape') is not null)
"""
UNUSED_SHAPES = f"select digest from shapes where {_IS_UNUSED}"  # noqa: S608
PRUNE_SHAPES = f"delete from shapes where {_IS_UNUSED}"  # noqa: S608


def of_workflows(workflows: Sequence[str], query: str) -> tuple[str, dict[str, object]]:
    """A query of these workflows, and their names as its values; a list of values, that an index can be asked for."""
    names: dict[str, object] = {f"w{index}": name for index, name in enumerate(workflows)}
    return query.replace(":workflows", ", ".join(f":{name}" for name in names)), names
