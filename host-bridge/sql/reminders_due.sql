SELECT count(*)
FROM (SELECT FROM reminders WHERE state = 'armed' AND remind_at <= clock_timestamp() LIMIT 10000) AS due
