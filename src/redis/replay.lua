-- Inserts a proof unless it is there, as one step.
-- KEYS: the proofs of a key, with the second in which each expires.
-- ARGV: the id of the proof, the second in which it expires, now, the most live proofs of a key, the
--       seconds that a proof is kept after its end, the most that are removed, the longest time that
--       the key is kept in seconds.
-- Gives `inserted`, `replayed`, or `too many` and the seconds until the first of them expires.
local id, ends, after = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[5])

-- By the earlier of both clocks, so that a clock that is ahead forgets nothing too early.
local time = redis.call('TIME')
local now = math.min(tonumber(ARGV[3]), tonumber(time[1]))
local over = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', string.format('%.0f', now - after),
  'LIMIT', 0, ARGV[6])
if #over > 0 then
  redis.call('ZREM', KEYS[1], unpack(over))
end

local held = redis.call('ZSCORE', KEYS[1], id)
if held and tonumber(held) > now then
  return {'replayed'}
end
local live = '(' .. string.format('%.0f', now)
if redis.call('ZCOUNT', KEYS[1], live, '+inf') >= tonumber(ARGV[4]) then
  local first = redis.call('ZRANGEBYSCORE', KEYS[1], live, '+inf', 'WITHSCORES', 'LIMIT', 0, 1)
  return {'too many', string.format('%.0f', tonumber(first[2] or '') - now)}
end

redis.call('ZADD', KEYS[1], ARGV[2], id)
local kept = math.min(ends - now + after, tonumber(ARGV[7]))
if redis.call('TTL', KEYS[1]) < kept then
  redis.call('EXPIRE', KEYS[1], string.format('%.0f', kept))
end
return {'inserted'}
