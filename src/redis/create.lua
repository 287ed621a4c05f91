-- Creates a family, and says whether it did: not if another one of the id has not ended.
-- KEYS: the family.
-- ARGV: now, the seconds that the family is kept, the seconds for which its former token may be
--       repeated, the fields of the family and their values.
local ends, idle = unpack(redis.call('HMGET', KEYS[1], 'ends', 'idle'))
if ends and idle and not (at_most(ends, ARGV[1]) or at_most(idle, ARGV[1])) then
  return 0
end
redis.call('DEL', KEYS[1])
redis.call('HSET', KEYS[1], unpack(ARGV, 4))
if ARGV[3] ~= '0' then
  local time = redis.call('TIME')
  local store_now = time[1] * 1000 + math.floor(time[2] / 1000)
  redis.call('HSET', KEYS[1], 'until', string.format('%.0f', store_now + ARGV[3] * 1000))
end
redis.call('EXPIRE', KEYS[1], ARGV[2])
return 1
