-- What `Family::rotate` does, as one step.
-- KEYS: a family.
-- ARGV: now, presented, next, salt, repeat until, idle until, seconds kept after the end,
--       the most seconds kept.
local now, presented, successor, salt = ARGV[1], ARGV[2], ARGV[3], ARGV[4]
local session, ends, idle, refreshed, current, previous, previous_salt, previous_until =
  unpack(redis.call('HMGET', KEYS[1], 'session', 'ends', 'idle', 'refreshed', 'current',
    'previous', 'salt', 'until'))
if not session then
  return {'unknown'}
end
if at_most(ends, now) or at_most(idle, now) then
  redis.call('DEL', KEYS[1])
  return {'expired'}
end
-- These are digests: how long it takes to compare them tells nothing of a token.
if current == presented then
  redis.call('HSET', KEYS[1], 'current', successor, 'previous', presented, 'salt', salt,
    'until', ARGV[5], 'refreshed', now, 'idle', ARGV[6])
  local last = at_most(ends, ARGV[6]) and ends or ARGV[6]
  local kept = math.max(tonumber(last) - tonumber(now), 0) + tonumber(ARGV[7])
  redis.call('EXPIRE', KEYS[1], string.format('%.0f', math.min(kept, tonumber(ARGV[8]))))
  return {'rotated', session, now, ARGV[6]}
end
if previous == presented and not at_most(previous_until, now) then
  return {'repeated', session, refreshed, idle, previous_salt}
end
redis.call('DEL', KEYS[1])
return {'reused', session, refreshed, idle}
