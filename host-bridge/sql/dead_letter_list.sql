SELECT json_build_object(
    'id', id, 'event_id', event_id, 'consumer', consumer, 'state', state, 'attempts', attempts,
    'error', json_build_object('code', error_code, 'message', error_message),
    'original', json_build_object('topic', topic, 'partition', partition, 'offset', kafka_offset, 'key', key,
                                  'headers', headers, 'value', value),
    'created_at', instant(created_at), 'updated_at', instant(updated_at))::text
FROM dead_letters
WHERE ($1::bigint IS NULL OR id = $1) AND state = ANY ($2::text[]) AND ($3::text IS NULL OR consumer = $3)
ORDER BY id DESC
LIMIT $4::bigint
