-- $1 hash of a refresh token, $2 the program that has it
SELECT session FROM session_note($1::text, $2::text)
