-- What should have happened a minute ago and has not.
SELECT (SELECT count(*) FROM reminders WHERE state = 'armed' AND remind_at < clock_timestamp() - interval '1 minute')
           AS reminders,
       (SELECT count(*) FROM notifications
        WHERE status = 'pending' AND next_attempt_at < clock_timestamp() - interval '1 minute')
           AS mails
