SELECT count(*) FROM dead_letters WHERE state = 'open'
