-- Does the same as `Family::rotate`, as one step.
-- KEYS: the family.
-- ARGV: now, presented, next, salt, grace in seconds, idle until, the seconds that it is kept after
--       its end, the most seconds that it is kept, the login of a step-up or nothing, the thumbprints
--       of the key and of the certificate that the client has proven to have, or nothing.
-- The clock of this server decides how long ago a token was spent. The clocks of the machines
-- differ, and the token may have been spent by another machine.
local now, presented, successor, salt = ARGV[1], ARGV[2], ARGV[3], ARGV[4]
local session, ends, idle, refreshed, current, previous, previous_salt, previous_until, limit, login,
  jkt, x5t =
  unpack(redis.call('HMGET', KEYS[1], 'session', 'ends', 'idle', 'refreshed', 'current',
    'previous', 'salt', 'until', 'browser_idle', 'login', 'jkt', 'x5t'))
if not session then
  return {'unknown'}
end
if at_most(ends, now) or at_most(idle, now) then
  redis.call('DEL', KEYS[1])
  return {'expired'}
end
if (jkt and jkt ~= ARGV[10]) or (x5t and x5t ~= ARGV[11]) then
  return {'unknown'}
end
login = login or ''
local time = redis.call('TIME')
local store_now = time[1] * 1000 + math.floor(time[2] / 1000)
-- These are digests, so the time to compare them reveals nothing about a token.
if current == presented then
  local idle_until = ARGV[6]
  limit = tonumber(limit or '')
  if limit then
    local earlier = string.format('%.0f', tonumber(now) + limit)
    idle_until = at_most(earlier, idle_until) and earlier or idle_until
  end
  redis.call('HSET', KEYS[1], 'current', successor, 'previous', presented, 'salt', salt,
    'until', string.format('%.0f', store_now + ARGV[5] * 1000), 'refreshed', now, 'idle', idle_until)
  local last = at_most(ends, idle_until) and ends or idle_until
  local kept = math.max(tonumber(last) - tonumber(now), 0) + tonumber(ARGV[7])
  redis.call('EXPIRE', KEYS[1], string.format('%.0f', math.min(kept, tonumber(ARGV[8]))))
  if ARGV[9] ~= '' then
    login = ARGV[9]
    redis.call('HSET', KEYS[1], 'login', login)
  end
  return {'rotated', session, now, idle_until, login}
end
if previous == presented and store_now < (tonumber(previous_until or '') or 0) then
  return {'repeated', session, refreshed, idle, login, previous_salt}
end
redis.call('DEL', KEYS[1])
return {'reused', session, refreshed, idle, login}
