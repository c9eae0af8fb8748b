SELECT transport_set($1::text)
