"""What happens inside of Redis in one step, between replicas that want prices.

One key a market, a hash: `v` its last price as `quote_store.py` writes it, `o` when it was observed, `k` what kind it is
(empty, `ended`, `resolved`, `absent`), `h` 1 if it is hidden, `c` the flight that fetches it and `u` until when that counts.
A sorted set `asked`: when somebody's users wanted a market last. A stream `news`. Times are milliseconds of the server's clock.
The rule is that of `actors/rules/price_sharing.py`; a test compares them.
"""

from engine.adapters.redis.edge_scripts import Script

READ_CLOCK = """
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local function text(number) return string.format('%.0f', number) end
"""

# KEYS asked, what keys of markets begin with · ARGV flight, room, ride, claim, asked, ended (the last four in milliseconds),
# longest look · then for each want its id, the age that is good enough, r if it rides else w, 1 if it is hidden
BOARD = Script(
    READ_CLOCK
    + """
local flight, room, ride_ms, claim_ms = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local asked_ms, ended_ms, look_max = tonumber(ARGV[5]), tonumber(ARGV[6]), tonumber(ARGV[7])
local function record(id)
  local got = redis.call('HMGET', KEYS[2] .. id, 'o', 'k', 'h', 'c', 'u')
  local left = 0
  if got[4] and got[4] ~= '' and got[4] ~= flight then left = tonumber(got[5]) - now end
  return {seen = tonumber(got[1] or nil), kind = got[2] or '', hidden = got[3] == '1', left = left}
end
local found, absent, ours, along, along_hidden, theirs, riding = {}, {}, {}, {}, {}, {}, {}
local shown_wanted, hidden_wanted, wanted, waited = false, false, {}, {}
for i = 8, #ARGV, 4 do
  local id, limit, rides = ARGV[i], tonumber(ARGV[i + 1]), ARGV[i + 2] == 'r'
  local one = record(id)
  one.id, one.hidden, wanted[id] = id, one.hidden or ARGV[i + 3] == '1', true
  if one.kind == 'ended' then limit = math.max(limit, ended_ms) end
  local good = one.seen and (one.kind == 'absent' or one.kind == 'resolved' or now - one.seen < limit)
  if not rides then table.insert(waited, id) end
  if good and one.kind == 'absent' then
    table.insert(absent, id)
  elseif good then
    for _, value in ipairs({id, one.seen, redis.call('HGET', KEYS[2] .. id, 'v')}) do table.insert(found, value) end
  elseif rides then
    table.insert(riding, one)
  elseif one.left > 0 then
    table.insert(theirs, id)
    table.insert(theirs, one.left)
  else
    table.insert(ours, id)
    if one.hidden then hidden_wanted = true else shown_wanted = true end
  end
end
if #ours > 0 then
  for _, one in ipairs(riding) do
    if one.left <= 0 and #ours + #along_hidden < room then
      if one.hidden and hidden_wanted then table.insert(along_hidden, one.id)
      elseif not one.hidden and shown_wanted then table.insert(ours, one.id) end
    end
  end
  local due = {}
  local looked = redis.call('ZRANGEBYSCORE', KEYS[1], text(now - asked_ms), '+inf', 'WITHSCORES', 'LIMIT', 0, look_max)
  for i = 1, #looked, 2 do
    local one = record(looked[i])
    local least = ride_ms
    if one.kind == 'ended' then least = ended_ms end
    if one.seen and tonumber(looked[i + 1]) > one.seen and now - one.seen >= least and one.left <= 0
      and one.kind ~= 'resolved' and one.kind ~= 'absent' then
      one.id = looked[i]
      table.insert(due, one)
    end
  end
  table.sort(due, function(a, b) if a.seen ~= b.seen then return a.seen < b.seen end return a.id < b.id end)
  for _, one in ipairs(due) do
    local is_looked_for = shown_wanted
    if one.hidden then is_looked_for = hidden_wanted end
    if not wanted[one.id] and is_looked_for and #ours + #along + #along_hidden < room then
      if one.hidden then table.insert(along_hidden, one.id) else table.insert(along, one.id) end
    end
  end
end
for _, ids in ipairs({ours, along, along_hidden}) do
  for _, id in ipairs(ids) do
    redis.call('HSET', KEYS[2] .. id, 'c', flight, 'u', text(now + claim_ms))
    if redis.call('PTTL', KEYS[2] .. id) < 0 then redis.call('PEXPIRE', KEYS[2] .. id, 4 * claim_ms) end
  end
end
for _, id in ipairs(waited) do redis.call('ZADD', KEYS[1], text(now), id) end
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', text(now - asked_ms - 1))
redis.call('PEXPIRE', KEYS[1], 2 * asked_ms)
return {now, found, absent, ours, along, along_hidden, theirs}
"""
)

# KEYS news, what keys of markets begin with · ARGV flight, life of a price, of an absence, of news (milliseconds), number of
# prices · for each its id, when it was observed, kind, hidden, text · number of absent ones, their ids · ids that are left
PUBLISH = Script(
    READ_CLOCK
    + """
local flight, life_ms, absent_ms, news_ms = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local news, at = {}, 6
local function free(key) if redis.call('HGET', key, 'c') == flight then redis.call('HDEL', key, 'c', 'u') end end
for _ = 1, tonumber(ARGV[5]) do
  local id, seen, key = ARGV[at], tonumber(ARGV[at + 1]), KEYS[2] .. ARGV[at]
  local known = tonumber(redis.call('HGET', key, 'o') or nil)
  if not known or known <= seen then
    redis.call('HSET', key, 'o', text(seen), 'k', ARGV[at + 2], 'h', ARGV[at + 3], 'v', ARGV[at + 4])
    redis.call('PEXPIRE', key, life_ms)
  end
  table.insert(news, id)
  table.insert(news, text(seen) .. ' ' .. ARGV[at + 4])
  free(key)
  at = at + 5
end
local last = at + tonumber(ARGV[at])
for i = at + 1, last do
  local key = KEYS[2] .. ARGV[i]
  redis.call('HSET', key, 'o', text(now), 'k', 'absent', 'h', '0', 'v', '')
  redis.call('PEXPIRE', key, absent_ms)
  table.insert(news, ARGV[i])
  table.insert(news, '')
  free(key)
end
for i = last + 1, #ARGV do free(KEYS[2] .. ARGV[i]) end
if #news > 0 then
  redis.call('XADD', KEYS[1], 'MINID', text(now - news_ms), '*', unpack(news))
  redis.call('PEXPIRE', KEYS[1], 6 * news_ms)
end
return now
"""
)

# KEYS asked · ARGV for how long that counts (milliseconds), ids
TELL = Script(
    READ_CLOCK
    + """
for i = 2, #ARGV do redis.call('ZADD', KEYS[1], text(now), ARGV[i]) end
redis.call('PEXPIRE', KEYS[1], 2 * tonumber(ARGV[1]))
return now
"""
)
