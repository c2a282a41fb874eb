-- Who is here on a node and who is gone from it is written down, and who else is here is told.
--
-- KEYS[1]  the table of an account: a sorted set of leases by the ms at which they end, `actor/node`, and of graces,
--          `actor/`. Among them a mark that never ends: `!epoch:number:born`. In one key, so that nothing of it is lost
--          without the rest.
-- ARGV     ms of now, or nothing for this server's own clock; a new epoch's name; the version that is known; the node;
--          ms of a lease; how many are here, and who; then of each who is gone its name and the ms of its grace,
--          -1 to end the one that it has from elsewhere
local key = KEYS[1]
local now = tonumber(ARGV[1])
if not now then
  local time = redis.call('TIME')
  now = time[1] * 1000 + math.floor(time[2] / 1000)
end
local node, lease, here = '/' .. ARGV[4], tonumber(ARGV[5]), tonumber(ARGV[6])
local changes = 0

local mark = redis.call('ZRANGEBYSCORE', key, 'inf', 'inf')[1]
local epoch, number, born = ARGV[2], 0, now
if mark then
  epoch, number, born = string.match(mark, '^!(.*):(%d+):(%d+)$')
else
  changes = 1
end

local over = redis.call('ZRANGEBYSCORE', key, '-inf', now, 'LIMIT', 0, 500)
if #over > 0 then
  changes = changes + redis.call('ZREM', key, unpack(over))
end
for i = 7, 6 + here do
  if redis.call('ZADD', key, now + lease, ARGV[i] .. node) == 1 then
    redis.call('ZREM', key, ARGV[i] .. '/')
    changes = changes + 1
  end
end
for i = 7 + here, #ARGV, 2 do
  local actor, grace = ARGV[i], tonumber(ARGV[i + 1])
  changes = changes + redis.call('ZREM', key, actor .. node)
  if grace > 0 then
    changes = changes + 1
    redis.call('ZADD', key, 'GT', now + grace, actor .. '/')
  elseif grace < 0 then
    changes = changes + redis.call('ZREM', key, actor .. '/')
  end
end

if changes > 0 then
  number = number + 1
  if mark then
    redis.call('ZREM', key, mark)
  end
  redis.call('ZADD', key, 'inf', string.format('!%s:%d:%d', epoch, number, born))
end
redis.call('PEXPIRE', key, lease * 3)
local version = string.format('%s:%d', epoch, number)
local leases = false
if version ~= ARGV[3] then
  leases = redis.call('ZRANGEBYSCORE', key, '(' .. now, '(inf', 'WITHSCORES')
end
return {version, now, tonumber(born), changes, leases}
