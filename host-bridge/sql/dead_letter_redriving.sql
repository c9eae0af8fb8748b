SELECT id, event_id, consumer, topic, key, headers, value
FROM dead_letters
WHERE state = 'redriving'
ORDER BY id
LIMIT $1
