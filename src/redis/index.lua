-- KEYS: the index of a subject. ARGV: id, when its session ends, now, how long the
-- index is kept in seconds. Gives some of the ids, for a look whether they are there.
redis.call('ZADD', KEYS[1], ARGV[2], ARGV[1])
-- By the clock that is behind: one that is ahead must not hide a session that goes on.
local now = math.min(tonumber(ARGV[3]), tonumber(redis.call('TIME')[1]))
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', string.format('(%.0f', now))
if redis.call('TTL', KEYS[1]) < tonumber(ARGV[4]) then
  redis.call('EXPIRE', KEYS[1], ARGV[4])
end
if redis.call('ZCARD', KEYS[1]) <= 16 then
  return {}
end
return redis.call('ZRANDMEMBER', KEYS[1], 4)
