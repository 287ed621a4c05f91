-- KEYS: a family. ARGV: now, how long it is kept in seconds, its fields and values.
local ends, idle = unpack(redis.call('HMGET', KEYS[1], 'ends', 'idle'))
if ends and idle and not (at_most(ends, ARGV[1]) or at_most(idle, ARGV[1])) then
  return 0
end
redis.call('DEL', KEYS[1])
redis.call('HSET', KEYS[1], unpack(ARGV, 3))
redis.call('EXPIRE', KEYS[1], ARGV[2])
return 1
