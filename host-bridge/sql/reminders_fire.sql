SELECT reminders_fire($1::integer)
