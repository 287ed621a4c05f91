-- Adds a session to the index of its subject, behind all others.
-- KEYS: the index.
-- ARGV: the id, the seconds that the index is kept.
-- Gives some of the ids, so that the caller can check whether their families exist.
local last = redis.call('ZREVRANGE', KEYS[1], 0, 0, 'WITHSCORES')[2]
redis.call('ZADD', KEYS[1], 'NX', math.max(tonumber(last or 0), 0) + 1, ARGV[1])
if redis.call('TTL', KEYS[1]) < tonumber(ARGV[2]) then
  redis.call('EXPIRE', KEYS[1], ARGV[2])
end
if redis.call('ZCARD', KEYS[1]) <= 16 then
  return {}
end
return redis.call('ZRANDMEMBER', KEYS[1], 4)
