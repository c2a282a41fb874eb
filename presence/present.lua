-- KEYS[1] the leases of an account. Ends those that are over, at most 500 at once, and returns the others.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local over = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', now, 'LIMIT', 0, 500)
if #over > 0 then
  redis.call('ZREM', KEYS[1], unpack(over))
end
return redis.call('ZRANGEBYSCORE', KEYS[1], '(' .. now, '+inf')
