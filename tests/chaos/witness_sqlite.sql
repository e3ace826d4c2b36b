-- What happens to the rows, noted by the database itself in the transaction in which it happens.
CREATE TABLE penstock_chaos_witness (
    seq integer PRIMARY KEY AUTOINCREMENT, what text NOT NULL, job text NOT NULL, claim integer,
    old text, new text, old_claim integer, new_claim integer, attempt integer, losses integer,
    at real NOT NULL DEFAULT ((julianday('now') - 2440587.5) * 86400.0), tx integer);

CREATE TRIGGER chaos_born AFTER INSERT ON penstock_jobs BEGIN
    INSERT INTO penstock_chaos_witness (what, job, new, new_claim, attempt, losses)
    VALUES ('state', NEW.id, NEW.state, NEW.claim_id, NEW.attempt, NEW.losses);
END;
CREATE TRIGGER chaos_moved AFTER UPDATE ON penstock_jobs
WHEN (OLD.state, OLD.claim_id, OLD.attempt, OLD.losses) IS NOT (NEW.state, NEW.claim_id, NEW.attempt, NEW.losses) BEGIN
    INSERT INTO penstock_chaos_witness (what, job, old, new, old_claim, new_claim, attempt, losses)
    VALUES ('state', NEW.id, OLD.state, NEW.state, OLD.claim_id, NEW.claim_id, NEW.attempt, NEW.losses);
END;
CREATE TRIGGER chaos_gone AFTER DELETE ON penstock_jobs BEGIN
    INSERT INTO penstock_chaos_witness (what, job, old, old_claim) VALUES ('gone', OLD.id, OLD.state, OLD.claim_id);
END;

CREATE TRIGGER chaos_result AFTER INSERT ON penstock_results BEGIN
    INSERT INTO penstock_chaos_witness (what, job, claim)
    VALUES ('result', NEW.job_id, json_extract(NEW.result, '$.claim'));
END;
CREATE TRIGGER chaos_result_again AFTER UPDATE ON penstock_results BEGIN
    INSERT INTO penstock_chaos_witness (what, job, claim)
    VALUES ('result', NEW.job_id, json_extract(NEW.result, '$.claim'));
END;
CREATE TRIGGER chaos_progress AFTER INSERT ON penstock_progress BEGIN
    INSERT INTO penstock_chaos_witness (what, job, claim)
    VALUES ('progress', NEW.job_id, CAST(substr(NEW.message, 7) AS integer));
END;
CREATE TRIGGER chaos_progress_again AFTER UPDATE ON penstock_progress BEGIN
    INSERT INTO penstock_chaos_witness (what, job, claim)
    VALUES ('progress', NEW.job_id, CAST(substr(NEW.message, 7) AS integer));
END;
CREATE TRIGGER chaos_stream AFTER INSERT ON penstock_stream_chunks BEGIN
    INSERT INTO penstock_chaos_witness (what, job, claim) VALUES ('stream', NEW.job_id, CAST(NEW.text AS integer));
END;
CREATE TRIGGER chaos_stream_again AFTER UPDATE ON penstock_stream_chunks BEGIN
    INSERT INTO penstock_chaos_witness (what, job, claim) VALUES ('stream', NEW.job_id, CAST(NEW.text AS integer));
END;
CREATE TRIGGER chaos_event AFTER INSERT ON penstock_events BEGIN
    INSERT INTO penstock_chaos_witness (what, job, claim)
    VALUES ('event', json_extract(NEW.data, '$.job'), json_extract(NEW.data, '$.claim'));
END;
CREATE TRIGGER chaos_enqueue AFTER INSERT ON penstock_job_data WHEN json_extract(NEW.data, '$.of') IS NOT NULL BEGIN
    INSERT INTO penstock_chaos_witness (what, job, claim)
    VALUES ('enqueue', json_extract(NEW.data, '$.of'), json_extract(NEW.data, '$.claim'));
END;
