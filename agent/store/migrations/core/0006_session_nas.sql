-- Which NAS behind its access point a session is of, for an Acct-Session-Id is unique within one NAS only. Of sessions of before it
-- is not known, and empty.
ALTER TABLE wifi_session ADD COLUMN nas TEXT NOT NULL DEFAULT '';
