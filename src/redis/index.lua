-- Adds a session to the index of its subject, behind all others.
-- KEYS: the index. ARGV: id, how long the index is kept in seconds. Gives some of the ids, for a
-- look whether they are there.
local last = redis.call('ZREVRANGE', KEYS[1], 0, 0, 'WITHSCORES')[2]
redis.call('ZADD', KEYS[1], 'NX', math.max(tonumber(last or 0), 0) + 1, ARGV[1])
if redis.call('TTL', KEYS[1]) < tonumber(ARGV[2]) then
  redis.call('EXPIRE', KEYS[1], ARGV[2])
end
if redis.call('ZCARD', KEYS[1]) <= 16 then
  return {}
end
return redis.call('ZRANDMEMBER', KEYS[1], 4)
