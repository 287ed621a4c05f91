-- Adds a revocation, and tells the machines that follow, as one step. Of two that name the same,
-- the later `before` and the later `until` stay.
-- KEYS: entries, times, changes, count, since.
-- ARGV: name, until, before or `-`, the revocation, now, the number of changes that are kept,
--       the shortest and the longest time that the list is kept in seconds.
local name, ends, before = ARGV[1], ARGV[2], ARGV[3]
local old = redis.call('HGET', KEYS[1], name)
if old then
  local old_ends, old_before = old:match('^(%S+) (%S+) ')
  if old_ends then
    local earlier = before == '-' or (old_before ~= '-' and at_most(before, old_before))
    if earlier and at_most(ends, old_ends) then
      return 0
    end
    if earlier then before = old_before end
    if at_most(ends, old_ends) then ends = old_ends end
  end
end
local entry = ends .. ' ' .. before .. ' ' .. ARGV[4]

-- By the earlier of both clocks, so that a clock that is ahead ends nothing too early.
local time = redis.call('TIME')
local now = math.min(tonumber(ARGV[5]), tonumber(time[1]))
local over = redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', string.format('%.0f', now),
  'LIMIT', 0, 100)
for _, gone in ipairs(over) do
  redis.call('HDEL', KEYS[1], gone)
  redis.call('ZREM', KEYS[2], gone)
end

redis.call('HSET', KEYS[1], name, entry)
redis.call('ZADD', KEYS[2], ends, name)
local count = redis.call('INCR', KEYS[4])
if redis.call('EXISTS', KEYS[5]) == 0 then
  -- The list is new or has lost its data, so it is not whole yet: other machines may write back.
  redis.call('SET', KEYS[5], string.format('%.0f', time[1] * 1000 + math.floor(time[2] / 1000)))
end
redis.call('XADD', KEYS[3], 'MAXLEN', '~', ARGV[6], '*', 'count', count, 'entry', entry)

-- The list expires after its last revocation. Two small keys stay, which tell an empty list from
-- one that was lost.
local kept = math.max(tonumber(ends) - now, tonumber(ARGV[7]))
kept = math.min(kept, tonumber(ARGV[8]))
for _, key in ipairs({KEYS[1], KEYS[2], KEYS[3]}) do
  if redis.call('TTL', key) < kept then
    redis.call('EXPIRE', key, string.format('%.0f', kept))
  end
end
return 1
