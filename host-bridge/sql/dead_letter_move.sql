SELECT dead_letter_move($1::bigint, $2::text)
