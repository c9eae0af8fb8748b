SELECT day_reminders_settle($1::bigint, $2::time)
