-- KEYS: of each the moment when it owes nothing any more. ARGV[1], packed, as many arguments cost the node more than all
-- the rest: of each taken, of which owed alone, burst, most. All in µs, on Redis's clock. Returns what each owes now.
-- A key is kept until nothing that is told late can matter.
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local numbers = cmsgpack.unpack(ARGV[1])
local owed = {}
local found = redis.call('MGET', unpack(KEYS))
for i, key in ipairs(KEYS) do
  local taken, alone, burst, most = numbers[4 * i - 3], numbers[4 * i - 2], numbers[4 * i - 1], numbers[4 * i]
  local before = found[i] and tonumber(string.match(found[i], '^%d+$')) or 0
  local free = math.min(math.max(before + taken, now + alone), now + most)
  local kept = math.ceil((free - now + burst) / 1000)
  if kept > 0 then
    redis.call('SET', key, string.format('%.0f', free), 'PX', kept)
  else
    redis.call('DEL', key)
  end
  owed[i] = free - now
end
return owed
