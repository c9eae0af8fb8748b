SELECT fired, missed FROM reminders_fire($1::integer, $2::integer)
