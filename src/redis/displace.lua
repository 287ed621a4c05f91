-- Ends the oldest sessions of a subject beyond the newest ones, as one step, and tidies up.
-- KEYS: the index of the subject. ARGV: what the keys of families begin with, how many sessions
-- may stay, now. Gives three values for each session that it has ended.
local ids = redis.call('ZREVRANGE', KEYS[1], 0, -1)
local stay, ended = tonumber(ARGV[2]), {}
if #ids <= stay then
  return ended
end
for _, id in ipairs(ids) do
  local key = ARGV[1] .. id
  local session, ends, idle, refreshed =
    unpack(redis.call('HMGET', key, 'session', 'ends', 'idle', 'refreshed'))
  local alive = session and not (at_most(ends, ARGV[3]) or at_most(idle, ARGV[3]))
  if alive and stay > 0 then
    stay = stay - 1
  else
    redis.call('DEL', key)
    redis.call('ZREM', KEYS[1], id)
    if alive then
      table.insert(ended, session)
      table.insert(ended, refreshed)
      table.insert(ended, idle)
    end
  end
end
return ended
