-- Begins a reading of the whole list.
-- KEYS: count, since, changes, writing.
-- ARGV: the number of changes that the machine has seen, the milliseconds for which other
--       machines wait if the list has lost something: 0 if this one has nothing to write back.
-- Gives the number of changes, the time since which the list has been whole and the time now, both
-- in milliseconds, the id of the last change, and whether the list has lost something.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('SETNX', KEYS[1], 0)
local count = redis.call('GET', KEYS[1])
local since = tonumber(redis.call('GET', KEYS[2]) or '')
local lost = 0
-- The list is new, or has lost changes that the machine has seen, or the clock was set back.
if not since or since > now or not at_most(ARGV[1], count) then
  since, lost = now, 1
  redis.call('SET', KEYS[2], string.format('%.0f', since))
  if ARGV[2] ~= '0' then
    redis.call('SET', KEYS[4], 1, 'PX', ARGV[2])
  end
end
local last = redis.call('XREVRANGE', KEYS[3], '+', '-', 'COUNT', 1)[1]
return {count, string.format('%.0f', since), string.format('%.0f', now), last and last[1] or '0-0',
  lost}
