-- Made by tests/integration/schemas/make.py, and never again.
BEGIN TRANSACTION;
CREATE TABLE "_sqlite_migrations" (
   "id" INTEGER PRIMARY KEY,
   "migration_set" TEXT,
   "name" TEXT,
   "applied_at" TEXT
);
INSERT INTO "_sqlite_migrations" VALUES(1,'spectra-bot','m001_runs','2026-11-23 14:01:57.870003+00:00');
INSERT INTO "_sqlite_migrations" VALUES(2,'spectra-bot','m002_quiet_runs','2026-11-23 14:01:57.870764+00:00');
CREATE TABLE "attempts" (
   "interrupt_id" TEXT,
   "handler" TEXT,
   "purpose" TEXT,
   "run_id" TEXT NOT NULL,
   "attempts" INTEGER NOT NULL,
   "next_attempt_at" TEXT NOT NULL,
   "last_error" TEXT NOT NULL,
   PRIMARY KEY ("interrupt_id", "handler", "purpose")
);
INSERT INTO "attempts" VALUES('i-ke6p4ym0a63ewc','board','settle','unsettled',1,'2026-01-05T09:00:01.182414+00:00','ConnectionError: the board is away');
INSERT INTO "attempts" VALUES('i-ke6p4ym0x1h4za','board','settle','running',1,'2026-01-05T09:00:01.179131+00:00','ConnectionError: the board is away');
CREATE TABLE events (run_id text, seq integer, kind text not null, body text not null, primary key (run_id, seq)) without rowid;
INSERT INTO "events" VALUES('cancelled',1,'RunStarted','{"at":"2026-01-05T09:00:00Z","run_id":"cancelled","workflow":"release","shape":"0236000a0910f7cf01401290d058bdcde907229cca6d132ae13b914cb2f0452c","inputs":{"env":"prod"},"requested_by":"cli:ada","channel":null,"secrets":[]}');
INSERT INTO "events" VALUES('cancelled',2,'StepCompleted','{"at":"2026-01-05T09:00:00Z","step":"plan","visit":1,"output":{"changes":2},"option":null}');
INSERT INTO "events" VALUES('cancelled',3,'InterruptRaised','{"at":"2026-01-05T09:00:00Z","step":"approve","visit":1,"slot":0,"request":{"reason":"Ship it?","data":{"plan":{"changes":2}},"options":[{"id":"approve","label":"Approve","style":"primary","status":"approved","form":null,"confirm":null},{"id":"reject","label":"Reject","style":"danger","status":"rejected","form":null,"confirm":null},{"id":"modify","label":"Modify","style":"default","status":"answered","form":{"fields":[{"name":"notes","label":"What should change?","kind":"text","required":true,"nullable":false,"default":null,"help":"","multiline":true,"choices":[],"items":"text","limits":{},"item_limits":{},"pattern":null}],"model":null,"free":true},"confirm":null}],"timeout":null,"default_option":null,"approvers":[],"channel":null,"key":null,"id":"i-ke6p4ym0ew1mh8","run_id":"cancelled","workflow":"release","step":"approve","requested_by":"cli:ada","created_at":"2026-01-05T09:00:00Z","deadline":null,"digest":"fa38dd47c1c49031d944b43e9244cefc650032b78725e3f0dc429ce851a0aff8","replaces":null,"changed":[]},"changes":0,"steady":[]}');
INSERT INTO "events" VALUES('cancelled',4,'InterruptDelivered','{"at":"2026-01-05T09:00:00Z","interrupt_id":"i-ke6p4ym0ew1mh8","handler":"board","receipt":{"note":"cancelled approve"}}');
INSERT INTO "events" VALUES('cancelled',5,'RunCancelled','{"at":"2026-01-05T09:00:00Z","by":"cli:ada","reason":"not today"}');
INSERT INTO "events" VALUES('cancelled',6,'InterruptSettled','{"at":"2026-01-05T09:00:00Z","interrupt_id":"i-ke6p4ym0ew1mh8","handler":"board","superseded_by":null}');
INSERT INTO "events" VALUES('cancelled',7,'RunConcluded','{"at":"2026-01-05T09:00:00Z","handler":"board"}');
INSERT INTO "events" VALUES('completed',1,'RunStarted','{"at":"2026-01-05T09:00:00Z","run_id":"completed","workflow":"release","shape":"0236000a0910f7cf01401290d058bdcde907229cca6d132ae13b914cb2f0452c","inputs":{"env":"prod"},"requested_by":"cli:ada","channel":null,"secrets":[]}');
INSERT INTO "events" VALUES('completed',2,'StepCompleted','{"at":"2026-01-05T09:00:00Z","step":"plan","visit":1,"output":{"changes":2},"option":null}');
INSERT INTO "events" VALUES('completed',3,'InterruptRaised','{"at":"2026-01-05T09:00:00Z","step":"approve","visit":1,"slot":0,"request":{"reason":"Ship it?","data":{"plan":{"changes":2}},"options":[{"id":"approve","label":"Approve","style":"primary","status":"approved","form":null,"confirm":null},{"id":"reject","label":"Reject","style":"danger","status":"rejected","form":null,"confirm":null},{"id":"modify","label":"Modify","style":"default","status":"answered","form":{"fields":[{"name":"notes","label":"What should change?","kind":"text","required":true,"nullable":false,"default":null,"help":"","multiline":true,"choices":[],"items":"text","limits":{},"item_limits":{},"pattern":null}],"model":null,"free":true},"confirm":null}],"timeout":null,"default_option":null,"approvers":[],"channel":null,"key":null,"id":"i-ke6p4ym00w3a0h","run_id":"completed","workflow":"release","step":"approve","requested_by":"cli:ada","created_at":"2026-01-05T09:00:00Z","deadline":null,"digest":"fa38dd47c1c49031d944b43e9244cefc650032b78725e3f0dc429ce851a0aff8","replaces":null,"changed":[]},"changes":0,"steady":[]}');
INSERT INTO "events" VALUES('completed',4,'InterruptDelivered','{"at":"2026-01-05T09:00:00Z","interrupt_id":"i-ke6p4ym00w3a0h","handler":"board","receipt":{"note":"completed approve"}}');
INSERT INTO "events" VALUES('completed',5,'InterruptAnswered','{"at":"2026-01-05T09:00:00Z","interrupt_id":"i-ke6p4ym00w3a0h","response":{"status":"approved","data":{},"option":"approve","notes":null,"responder":"slack:T1/U1","interrupt_id":"i-ke6p4ym00w3a0h","responded_at":"2026-01-05T09:00:00Z","superseded_by":null,"request":null}}');
INSERT INTO "events" VALUES('completed',6,'StepCompleted','{"at":"2026-01-05T09:00:00Z","step":"approve","visit":1,"output":{"by":"slack:T1/U1"},"option":null}');
INSERT INTO "events" VALUES('completed',7,'InterruptSettled','{"at":"2026-01-05T09:00:00Z","interrupt_id":"i-ke6p4ym00w3a0h","handler":"board","superseded_by":null}');
INSERT INTO "events" VALUES('completed',8,'OnceStored','{"at":"2026-01-05T09:00:00Z","step":"ship","visit":1,"key":"ship","value":"shipped","problem":null}');
INSERT INTO "events" VALUES('completed',9,'StepCompleted','{"at":"2026-01-05T09:00:00Z","step":"ship","visit":1,"output":"shipped","option":null}');
INSERT INTO "events" VALUES('completed',10,'RunConcluded','{"at":"2026-01-05T09:00:00Z","handler":"board"}');
INSERT INTO "events" VALUES('deadline',1,'RunStarted','{"at":"2026-01-05T09:00:00Z","run_id":"deadline","workflow":"hurrying","shape":"6241d839471d89628168c2afd0a8e24e9966e5961fa8c80f5eff6088c4bb52a7","inputs":{},"requested_by":null,"channel":null,"secrets":[]}');
INSERT INTO "events" VALUES('deadline',2,'InterruptRaised','{"at":"2026-01-05T09:00:00Z","step":"gate","visit":1,"slot":0,"request":{"reason":"In time?","data":{},"options":[{"id":"approve","label":"Approve","style":"primary","status":"approved","form":null,"confirm":null},{"id":"reject","label":"Reject","style":"danger","status":"rejected","form":null,"confirm":null}],"timeout":"P1D","default_option":"approve","approvers":[],"channel":null,"key":null,"id":"i-ke6p4ym0c54agv","run_id":"deadline","workflow":"hurrying","step":"gate","requested_by":null,"created_at":"2026-01-05T09:00:00Z","deadline":"2026-01-06T09:00:00Z","digest":"ed5fabdb304c19d65a113935d157101d0ecd857d6e08510ea850fa004f3b3501","replaces":null,"changed":[]},"changes":0,"steady":[]}');
INSERT INTO "events" VALUES('deadline',3,'InterruptDelivered','{"at":"2026-01-05T09:00:00Z","interrupt_id":"i-ke6p4ym0c54agv","handler":"board","receipt":{"note":"deadline gate"}}');
INSERT INTO "events" VALUES('failed',1,'RunStarted','{"at":"2026-01-05T09:00:00Z","run_id":"failed","workflow":"release","shape":"0236000a0910f7cf01401290d058bdcde907229cca6d132ae13b914cb2f0452c","inputs":{"env":"prod"},"requested_by":"cli:ada","channel":null,"secrets":[]}');
INSERT INTO "events" VALUES('failed',2,'StepCompleted','{"at":"2026-01-05T09:00:00Z","step":"plan","visit":1,"output":{"changes":2},"option":null}');
INSERT INTO "events" VALUES('failed',3,'InterruptRaised','{"at":"2026-01-05T09:00:00Z","step":"approve","visit":1,"slot":0,"request":{"reason":"Ship it?","data":{"plan":{"changes":2}},"options":[{"id":"approve","label":"Approve","style":"primary","status":"approved","form":null,"confirm":null},{"id":"reject","label":"Reject","style":"danger","status":"rejected","form":null,"confirm":null},{"id":"modify","label":"Modify","style":"default","status":"answered","form":{"fields":[{"name":"notes","label":"What should change?","kind":"text","required":true,"nullable":false,"default":null,"help":"","multiline":true,"choices":[],"items":"text","limits":{},"item_limits":{},"pattern":null}],"model":null,"free":true},"confirm":null}],"timeout":null,"default_option":null,"approvers":[],"channel":null,"key":null,"id":"i-ke6p4ym0bmr0se","run_id":"failed","workflow":"release","step":"approve","requested_by":"cli:ada","created_at":"2026-01-05T09:00:00Z","deadline":null,"digest":"fa38dd47c1c49031d944b43e9244cefc650032b78725e3f0dc429ce851a0aff8","replaces":null,"changed":[]},"changes":0,"steady":[]}');
INSERT INTO "events" VALUES('failed',4,'InterruptDelivered','{"at":"2026-01-05T09:00:00Z","interrupt_id":"i-ke6p4ym0bmr0se","handler":"board","receipt":{"note":"failed approve"}}');
INSERT INTO "events" VALUES('failed',5,'InterruptAnswered','{"at":"2026-01-05T09:00:00Z","interrupt_id":"i-ke6p4ym0bmr0se","response":{"status":"approved","data":{},"option":"approve","notes":null,"responder":"slack:T1/U1","interrupt_id":"i-ke6p4ym0bmr0se","responded_at":"2026-01-05T09:00:00Z","superseded_by":null,"request":null}}');
INSERT INTO "events" VALUES('failed',6,'StepCompleted','{"at":"2026-01-05T09:00:00Z","step":"approve","visit":1,"output":{"by":"slack:T1/U1"},"option":null}');
INSERT INTO "events" VALUES('failed',7,'InterruptSettled','{"at":"2026-01-05T09:00:00Z","interrupt_id":"i-ke6p4ym0bmr0se","handler":"board","superseded_by":null}');
INSERT INTO "events" VALUES('failed',8,'OnceStored','{"at":"2026-01-05T09:00:00Z","step":"ship","visit":1,"key":"ship","value":"shipped","problem":null}');
INSERT INTO "events" VALUES('failed',9,'StepFailed','{"at":"2026-01-05T09:00:00Z","step":"ship","visit":1,"error":"RuntimeError: the cluster is on fire"}');
INSERT INTO "events" VALUES('failed',10,'RunConcluded','{"at":"2026-01-05T09:00:00Z","handler":"board"}');
INSERT INTO "events" VALUES('pending',1,'RunStarted','{"at":"2026-01-05T09:00:00Z","run_id":"pending","workflow":"release","shape":"0236000a0910f7cf01401290d058bdcde907229cca6d132ae13b914cb2f0452c","inputs":{"env":"prod"},"requested_by":"cli:ada","channel":null,"secrets":[]}');
INSERT INTO "events" VALUES('pending',2,'StepCompleted','{"at":"2026-01-05T09:00:00Z","step":"plan","visit":1,"output":{"changes":2},"option":null}');
INSERT INTO "events" VALUES('pending',3,'InterruptRaised','{"at":"2026-01-05T09:00:00Z","step":"approve","visit":1,"slot":0,"request":{"reason":"Ship it?","data":{"plan":{"changes":2}},"options":[{"id":"approve","label":"Approve","style":"primary","status":"approved","form":null,"confirm":null},{"id":"reject","label":"Reject","style":"danger","status":"rejected","form":null,"confirm":null},{"id":"modify","label":"Modify","style":"default","status":"answered","form":{"fields":[{"name":"notes","label":"What should change?","kind":"text","required":true,"nullable":false,"default":null,"help":"","multiline":true,"choices":[],"items":"text","limits":{},"item_limits":{},"pattern":null}],"model":null,"free":true},"confirm":null}],"timeout":null,"default_option":null,"approvers":[],"channel":null,"key":null,"id":"i-ke6p4ym0xt6qxt","run_id":"pending","workflow":"release","step":"approve","requested_by":"cli:ada","created_at":"2026-01-05T09:00:00Z","deadline":null,"digest":"fa38dd47c1c49031d944b43e9244cefc650032b78725e3f0dc429ce851a0aff8","replaces":null,"changed":[]},"changes":0,"steady":[]}');
INSERT INTO "events" VALUES('pending',4,'InterruptDelivered','{"at":"2026-01-05T09:00:00Z","interrupt_id":"i-ke6p4ym0xt6qxt","handler":"board","receipt":{"note":"pending approve"}}');
INSERT INTO "events" VALUES('running',1,'RunStarted','{"at":"2026-01-05T09:00:00Z","run_id":"running","workflow":"release","shape":"0236000a0910f7cf01401290d058bdcde907229cca6d132ae13b914cb2f0452c","inputs":{"env":"prod"},"requested_by":"cli:ada","channel":null,"secrets":[]}');
INSERT INTO "events" VALUES('running',2,'StepCompleted','{"at":"2026-01-05T09:00:00Z","step":"plan","visit":1,"output":{"changes":2},"option":null}');
INSERT INTO "events" VALUES('running',3,'InterruptRaised','{"at":"2026-01-05T09:00:00Z","step":"approve","visit":1,"slot":0,"request":{"reason":"Ship it?","data":{"plan":{"changes":2}},"options":[{"id":"approve","label":"Approve","style":"primary","status":"approved","form":null,"confirm":null},{"id":"reject","label":"Reject","style":"danger","status":"rejected","form":null,"confirm":null},{"id":"modify","label":"Modify","style":"default","status":"answered","form":{"fields":[{"name":"notes","label":"What should change?","kind":"text","required":true,"nullable":false,"default":null,"help":"","multiline":true,"choices":[],"items":"text","limits":{},"item_limits":{},"pattern":null}],"model":null,"free":true},"confirm":null}],"timeout":null,"default_option":null,"approvers":[],"channel":null,"key":null,"id":"i-ke6p4ym0x1h4za","run_id":"running","workflow":"release","step":"approve","requested_by":"cli:ada","created_at":"2026-01-05T09:00:00Z","deadline":null,"digest":"fa38dd47c1c49031d944b43e9244cefc650032b78725e3f0dc429ce851a0aff8","replaces":null,"changed":[]},"changes":0,"steady":[]}');
INSERT INTO "events" VALUES('running',4,'InterruptDelivered','{"at":"2026-01-05T09:00:00Z","interrupt_id":"i-ke6p4ym0x1h4za","handler":"board","receipt":{"note":"running approve"}}');
INSERT INTO "events" VALUES('running',5,'InterruptAnswered','{"at":"2026-01-05T09:00:00Z","interrupt_id":"i-ke6p4ym0x1h4za","response":{"status":"approved","data":{},"option":"approve","notes":null,"responder":"slack:T1/U1","interrupt_id":"i-ke6p4ym0x1h4za","responded_at":"2026-01-05T09:00:00Z","superseded_by":null,"request":null}}');
INSERT INTO "events" VALUES('running',6,'StepCompleted','{"at":"2026-01-05T09:00:00Z","step":"approve","visit":1,"output":{"by":"slack:T1/U1"},"option":null}');
INSERT INTO "events" VALUES('running',7,'OnceStored','{"at":"2026-01-05T09:00:00Z","step":"ship","visit":1,"key":"ship","value":"shipped","problem":null}');
INSERT INTO "events" VALUES('several',1,'RunStarted','{"at":"2026-01-05T09:00:00Z","run_id":"several","workflow":"asking","shape":"94a4fe0852f1b070ac30f1e7b8a564ff493d5d70f06c91bd61a40ff11d0e52cc","inputs":{},"requested_by":null,"channel":null,"secrets":[]}');
INSERT INTO "events" VALUES('several',2,'InterruptRaised','{"at":"2026-01-05T09:00:00Z","step":"ask","visit":1,"slot":"left","request":{"reason":"Left?","data":{},"options":[{"id":"approve","label":"Approve","style":"primary","status":"approved","form":null,"confirm":null},{"id":"reject","label":"Reject","style":"danger","status":"rejected","form":null,"confirm":null}],"timeout":null,"default_option":null,"approvers":[],"channel":null,"key":"left","id":"i-ke6p4ym0dhrw99","run_id":"several","workflow":"asking","step":"ask","requested_by":null,"created_at":"2026-01-05T09:00:00Z","deadline":null,"digest":"2636cc5000ece6ca34263901b289092ba6b2273d6f1f9101911e066806ac28e8","replaces":null,"changed":[]},"changes":0,"steady":[]}');
INSERT INTO "events" VALUES('several',3,'InterruptRaised','{"at":"2026-01-05T09:00:00Z","step":"ask","visit":1,"slot":"right","request":{"reason":"Right?","data":{},"options":[{"id":"approve","label":"Approve","style":"primary","status":"approved","form":null,"confirm":null},{"id":"reject","label":"Reject","style":"danger","status":"rejected","form":null,"confirm":null}],"timeout":null,"default_option":null,"approvers":[],"channel":null,"key":"right","id":"i-ke6p4ym0wh650n","run_id":"several","workflow":"asking","step":"ask","requested_by":null,"created_at":"2026-01-05T09:00:00Z","deadline":null,"digest":"f0f8943359f1488d155fdfd651010fa6d2bcbd726239cf1dcf3ac80d8c4f7f39","replaces":null,"changed":[]},"changes":0,"steady":[]}');
INSERT INTO "events" VALUES('several',4,'InterruptDelivered','{"at":"2026-01-05T09:00:00Z","interrupt_id":"i-ke6p4ym0dhrw99","handler":"board","receipt":{"note":"several left"}}');
INSERT INTO "events" VALUES('several',5,'InterruptDelivered','{"at":"2026-01-05T09:00:00Z","interrupt_id":"i-ke6p4ym0wh650n","handler":"board","receipt":{"note":"several right"}}');
INSERT INTO "events" VALUES('several',6,'InterruptAnswered','{"at":"2026-01-05T09:00:00Z","interrupt_id":"i-ke6p4ym0dhrw99","response":{"status":"approved","data":{},"option":"approve","notes":"fine","responder":"cli:ada","interrupt_id":"i-ke6p4ym0dhrw99","responded_at":"2026-01-05T09:00:00Z","superseded_by":null,"request":null}}');
INSERT INTO "events" VALUES('several',7,'InterruptSettled','{"at":"2026-01-05T09:00:00Z","interrupt_id":"i-ke6p4ym0dhrw99","handler":"board","superseded_by":null}');
INSERT INTO "events" VALUES('unsettled',1,'RunStarted','{"at":"2026-01-05T09:00:00Z","run_id":"unsettled","workflow":"release","shape":"0236000a0910f7cf01401290d058bdcde907229cca6d132ae13b914cb2f0452c","inputs":{"env":"prod"},"requested_by":"cli:ada","channel":null,"secrets":[]}');
INSERT INTO "events" VALUES('unsettled',2,'StepCompleted','{"at":"2026-01-05T09:00:00Z","step":"plan","visit":1,"output":{"changes":2},"option":null}');
INSERT INTO "events" VALUES('unsettled',3,'InterruptRaised','{"at":"2026-01-05T09:00:00Z","step":"approve","visit":1,"slot":0,"request":{"reason":"Ship it?","data":{"plan":{"changes":2}},"options":[{"id":"approve","label":"Approve","style":"primary","status":"approved","form":null,"confirm":null},{"id":"reject","label":"Reject","style":"danger","status":"rejected","form":null,"confirm":null},{"id":"modify","label":"Modify","style":"default","status":"answered","form":{"fields":[{"name":"notes","label":"What should change?","kind":"text","required":true,"nullable":false,"default":null,"help":"","multiline":true,"choices":[],"items":"text","limits":{},"item_limits":{},"pattern":null}],"model":null,"free":true},"confirm":null}],"timeout":null,"default_option":null,"approvers":[],"channel":null,"key":null,"id":"i-ke6p4ym0a63ewc","run_id":"unsettled","workflow":"release","step":"approve","requested_by":"cli:ada","created_at":"2026-01-05T09:00:00Z","deadline":null,"digest":"fa38dd47c1c49031d944b43e9244cefc650032b78725e3f0dc429ce851a0aff8","replaces":null,"changed":[]},"changes":0,"steady":[]}');
INSERT INTO "events" VALUES('unsettled',4,'InterruptDelivered','{"at":"2026-01-05T09:00:00Z","interrupt_id":"i-ke6p4ym0a63ewc","handler":"board","receipt":{"note":"unsettled approve"}}');
INSERT INTO "events" VALUES('unsettled',5,'InterruptAnswered','{"at":"2026-01-05T09:00:00Z","interrupt_id":"i-ke6p4ym0a63ewc","response":{"status":"approved","data":{},"option":"approve","notes":null,"responder":"slack:T1/U1","interrupt_id":"i-ke6p4ym0a63ewc","responded_at":"2026-01-05T09:00:00Z","superseded_by":null,"request":null}}');
INSERT INTO "events" VALUES('unsettled',6,'StepCompleted','{"at":"2026-01-05T09:00:00Z","step":"approve","visit":1,"output":{"by":"slack:T1/U1"},"option":null}');
INSERT INTO "events" VALUES('unsettled',7,'OnceStored','{"at":"2026-01-05T09:00:00Z","step":"ship","visit":1,"key":"ship","value":"shipped","problem":null}');
INSERT INTO "events" VALUES('unsettled',8,'StepCompleted','{"at":"2026-01-05T09:00:00Z","step":"ship","visit":1,"output":"shipped","option":null}');
INSERT INTO "events" VALUES('unsettled',9,'RunConcluded','{"at":"2026-01-05T09:00:00Z","handler":"board"}');
CREATE TABLE "interrupts" (
   "interrupt_id" TEXT PRIMARY KEY,
   "run_id" TEXT NOT NULL,
   "seq" INTEGER NOT NULL,
   "status" TEXT NOT NULL,
   "created_at" TEXT NOT NULL,
   "deadline" TEXT
, workflow text);
INSERT INTO "interrupts" VALUES('i-ke6p4ym00w3a0h','completed',3,'approved','2026-01-05T09:00:00.000000+00:00',NULL,'release');
INSERT INTO "interrupts" VALUES('i-ke6p4ym0bmr0se','failed',3,'approved','2026-01-05T09:00:00.000000+00:00',NULL,'release');
INSERT INTO "interrupts" VALUES('i-ke6p4ym0ew1mh8','cancelled',3,'cancelled','2026-01-05T09:00:00.000000+00:00',NULL,'release');
INSERT INTO "interrupts" VALUES('i-ke6p4ym0xt6qxt','pending',3,'pending','2026-01-05T09:00:00.000000+00:00',NULL,'release');
INSERT INTO "interrupts" VALUES('i-ke6p4ym0a63ewc','unsettled',3,'approved','2026-01-05T09:00:00.000000+00:00',NULL,'release');
INSERT INTO "interrupts" VALUES('i-ke6p4ym0x1h4za','running',3,'approved','2026-01-05T09:00:00.000000+00:00',NULL,'release');
INSERT INTO "interrupts" VALUES('i-ke6p4ym0c54agv','deadline',2,'pending','2026-01-05T09:00:00.000000+00:00','2026-01-06T09:00:00.000000+00:00','hurrying');
INSERT INTO "interrupts" VALUES('i-ke6p4ym0dhrw99','several',2,'approved','2026-01-05T09:00:00.000000+00:00',NULL,'asking');
INSERT INTO "interrupts" VALUES('i-ke6p4ym0wh650n','several',3,'pending','2026-01-05T09:00:00.000000+00:00',NULL,'asking');
CREATE TABLE "owners" (
   "owner_id" TEXT PRIMARY KEY,
   "boot_id" TEXT NOT NULL,
   "pid_namespace" TEXT,
   "pid" INTEGER NOT NULL,
   "beat" REAL NOT NULL
);
INSERT INTO "owners" VALUES('o-defc044a09325626','an earlier boot','pid:[1]',1,1000.0);
CREATE TABLE "runs" (
   "run_id" TEXT PRIMARY KEY,
   "workflow" TEXT NOT NULL,
   "status" TEXT NOT NULL,
   "is_open" INTEGER NOT NULL,
   "seq" INTEGER NOT NULL,
   "owner" TEXT,
   "epoch" INTEGER NOT NULL,
   "noted" INTEGER NOT NULL,
   "requested_by" TEXT,
   "created_at" TEXT NOT NULL,
   "updated_at" TEXT NOT NULL,
   "error" TEXT
, delivered_to text);
INSERT INTO "runs" VALUES('completed','release','completed',0,10,'o-defc044a09325626',1,0,'cli:ada','2026-01-05T09:00:00.000000+00:00','2026-01-05T09:00:00.000000+00:00',NULL,NULL);
INSERT INTO "runs" VALUES('failed','release','failed',0,10,'o-defc044a09325626',1,0,'cli:ada','2026-01-05T09:00:00.000000+00:00','2026-01-05T09:00:00.000000+00:00','ship: RuntimeError: the cluster is on fire',NULL);
INSERT INTO "runs" VALUES('cancelled','release','cancelled',0,7,'o-defc044a09325626',1,0,'cli:ada','2026-01-05T09:00:00.000000+00:00','2026-01-05T09:00:00.000000+00:00','cancelled by cli:ada: not today',NULL);
INSERT INTO "runs" VALUES('pending','release','interrupted',1,4,'o-defc044a09325626',1,0,'cli:ada','2026-01-05T09:00:00.000000+00:00','2026-01-05T09:00:00.000000+00:00',NULL,'["board"]');
INSERT INTO "runs" VALUES('unsettled','release','completed',1,9,'o-defc044a09325626',1,0,'cli:ada','2026-01-05T09:00:00.000000+00:00','2026-01-05T09:00:00.000000+00:00',NULL,NULL);
INSERT INTO "runs" VALUES('running','release','running',1,7,'o-defc044a09325626',1,0,'cli:ada','2026-01-05T09:00:00.000000+00:00','2026-01-05T09:00:00.000000+00:00',NULL,NULL);
INSERT INTO "runs" VALUES('deadline','hurrying','interrupted',1,3,'o-defc044a09325626',1,0,NULL,'2026-01-05T09:00:00.000000+00:00','2026-01-05T09:00:00.000000+00:00',NULL,'["board"]');
INSERT INTO "runs" VALUES('several','asking','interrupted',1,7,'o-defc044a09325626',1,0,NULL,'2026-01-05T09:00:00.000000+00:00','2026-01-05T09:00:00.000000+00:00',NULL,'["board"]');
CREATE TABLE "shapes" (
   "digest" TEXT PRIMARY KEY,
   "body" TEXT NOT NULL
);
INSERT INTO "shapes" VALUES('0236000a0910f7cf01401290d058bdcde907229cca6d132ae13b914cb2f0452c','{"nodes":[{"name":"plan","edges":[],"when":false,"routes":[],"backs":[]},{"name":"approve","edges":[{"source":"plan","option":null}],"when":false,"routes":[],"backs":[]},{"name":"ship","edges":[{"source":"approve","option":null}],"when":false,"routes":[],"backs":[]}]}');
INSERT INTO "shapes" VALUES('6241d839471d89628168c2afd0a8e24e9966e5961fa8c80f5eff6088c4bb52a7','{"nodes":[{"name":"gate","edges":[],"when":false,"routes":[],"backs":[]},{"name":"after","edges":[{"source":"gate","option":null}],"when":false,"routes":[],"backs":[]}]}');
INSERT INTO "shapes" VALUES('94a4fe0852f1b070ac30f1e7b8a564ff493d5d70f06c91bd61a40ff11d0e52cc','{"nodes":[{"name":"ask","edges":[],"when":false,"routes":[],"backs":[]}]}');
CREATE UNIQUE INDEX "idx__sqlite_migrations_migration_set_name"
    ON "_sqlite_migrations" ("migration_set", "name");
CREATE INDEX runs_noted on runs (owner) where noted = 1;
CREATE INDEX runs_created on runs (created_at);
CREATE INDEX interrupts_run on interrupts (run_id);
CREATE INDEX interrupts_pending on interrupts (created_at) where status = 'pending';
CREATE INDEX attempts_run on attempts (run_id);
CREATE INDEX runs_owned on runs (owner) where is_open = 1 and delivered_to is null;
CREATE INDEX runs_quiet on runs (delivered_to, owner) where delivered_to is not null;
CREATE INDEX interrupts_due on interrupts (workflow, deadline) where status = 'pending' and deadline is not null;
CREATE TRIGGER runs_busy_again after update of status on runs when new.status <> 'interrupted' and new.delivered_to is not null begin update runs set delivered_to = null where run_id = new.run_id; end;
CREATE TRIGGER interrupts_of_workflow after insert on interrupts when new.workflow is null begin update interrupts set workflow = (select workflow from runs r where r.run_id = new.run_id) where interrupt_id = new.interrupt_id; end;
COMMIT;
pragma application_id = 1397769044;
pragma user_version = 2;
