-- KEYS[1] when one key owes nothing any more; ARGV taken, of which owed alone, burst, most. All in µs, on Redis's clock.
-- What was added before counts for as long as a burst of what wasn't said yet could stand behind it.
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local found = redis.pcall('GET', KEYS[1])
local free = type(found) == 'string' and tonumber(string.match(found, '^%d+$')) or 0
free = math.min(math.max(free + ARGV[1], now + ARGV[2]), now + ARGV[4])
local kept = math.ceil((free - now + ARGV[3]) / 1000)
if kept > 0 then
  redis.call('SET', KEYS[1], string.format('%.0f', free), 'PX', kept)
else
  redis.call('DEL', KEYS[1])
end
return free - now
