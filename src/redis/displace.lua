-- Gives the oldest sessions of a subject beyond the newest ones, each to one caller, and tidies
-- up. The caller revokes the session's tokens and then ends it. If it does not, another caller
-- gets the session later: until then, its score is negative, the time until which it is given
-- away.
-- KEYS: the index of the subject.
-- ARGV: the beginning of the keys of families, the number of sessions that may stay, now, the
--       seconds for which a session is given away.
-- Gives four values for each session.
local stay, named = tonumber(ARGV[2]), {}
if redis.call('ZCARD', KEYS[1]) <= stay and redis.call('ZCOUNT', KEYS[1], '-inf', '(0') == 0 then
  return named
end
local time = tonumber(redis.call('TIME')[1])
local found = redis.call('ZREVRANGE', KEYS[1], 0, -1, 'WITHSCORES')
for at = 1, #found, 2 do
  local id, score = found[at], tonumber(found[at + 1])
  local key = ARGV[1] .. id
  local session, ends, idle, refreshed, login =
    unpack(redis.call('HMGET', key, 'session', 'ends', 'idle', 'refreshed', 'login'))
  if not session or at_most(ends, ARGV[3]) or at_most(idle, ARGV[3]) then
    redis.call('DEL', key)
    redis.call('ZREM', KEYS[1], id)
  elseif score > 0 and stay > 0 then
    stay = stay - 1
  elseif score > 0 or -score <= time then
    redis.call('ZADD', KEYS[1], 'XX', -(time + tonumber(ARGV[4])), id)
    table.insert(named, session)
    table.insert(named, refreshed)
    table.insert(named, idle)
    table.insert(named, login or '')
  end
end
return named
