-- A node says that it is alive, and hears who else is.
--
-- KEYS[1]  the nodes: a sorted set by the ms at which their leases end, and a mark that never ends: `!born`
-- KEYS[2]  a hash of what they say of themselves
-- ARGV     ms of now, or nothing for this server's own clock; the node; ms of its lease, 0 to be none any more; what it
--          says of itself
local now = tonumber(ARGV[1])
if not now then
  local time = redis.call('TIME')
  now = time[1] * 1000 + math.floor(time[2] / 1000)
end
local node, lease = ARGV[2], tonumber(ARGV[3])

local mark = redis.call('ZRANGEBYSCORE', KEYS[1], 'inf', 'inf')[1] or string.format('!%d', now)
if lease > 0 then
  redis.call('ZADD', KEYS[1], 'inf', mark)
  redis.call('ZADD', KEYS[1], now + lease, node)
  redis.call('HSET', KEYS[2], node, ARGV[4])
else
  redis.call('ZADD', KEYS[1], now, node)
end
local over = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', now, 'LIMIT', 0, 500)
if #over > 0 then
  redis.call('ZREM', KEYS[1], unpack(over))
  redis.call('HDEL', KEYS[2], unpack(over))
end
redis.call('PEXPIRE', KEYS[1], 600000)
redis.call('PEXPIRE', KEYS[2], 600000)
local alive = redis.call('ZRANGEBYSCORE', KEYS[1], '(' .. now, '(inf')
local about = {}
if #alive > 0 then
  about = redis.call('HMGET', KEYS[2], unpack(alive))
end
return {now - tonumber(string.sub(mark, 2)), alive, about}
