-- What `Family::rotate` does, as one step.
-- KEYS: a family.
-- ARGV: now, presented, next, salt, grace in seconds, idle until, seconds kept after the end,
--       the most seconds kept.
-- How long ago a token was spent, the clock of this server says: those of the machines differ,
-- and the one that asks may not be the one that has spent it.
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
local time = redis.call('TIME')
local store_now = time[1] * 1000 + math.floor(time[2] / 1000)
-- These are digests: how long it takes to compare them tells nothing of a token.
if current == presented then
  redis.call('HSET', KEYS[1], 'current', successor, 'previous', presented, 'salt', salt,
    'until', string.format('%.0f', store_now + ARGV[5] * 1000), 'refreshed', now, 'idle', ARGV[6])
  local last = at_most(ends, ARGV[6]) and ends or ARGV[6]
  local kept = math.max(tonumber(last) - tonumber(now), 0) + tonumber(ARGV[7])
  redis.call('EXPIRE', KEYS[1], string.format('%.0f', math.min(kept, tonumber(ARGV[8]))))
  return {'rotated', session, now, ARGV[6]}
end
if previous == presented and store_now < (tonumber(previous_until or '') or 0) then
  return {'repeated', session, refreshed, idle, previous_salt}
end
redis.call('DEL', KEYS[1])
return {'reused', session, refreshed, idle}
