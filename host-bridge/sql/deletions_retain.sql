SELECT deletions_retain($1::integer)
