SELECT undo_retain($1::integer, $2::integer)
