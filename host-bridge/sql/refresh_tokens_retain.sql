SELECT refresh_tokens_retain($1::integer)
