"""What happens inside of Redis in one step: scripts over the stream of an edge and its counters.

Keys of an edge, which share a hash tag: `stream`, `counts` (a hash), `dead` (a stream), and one a sender with its last answer.
A script is atomic, so that counters and items never part, and it runs again harmlessly where that is said.
"""

import hashlib

import attrs


@attrs.frozen
class Script:
    """A text and the name under which the server remembers it."""

    text: str
    sha: str = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        # The server names scripts so; nothing secret hangs on it.
        object.__setattr__(self, "sha", hashlib.sha1(self.text.encode(), usedforsecurity=False).hexdigest())


# Stream ids are compared as numbers: milliseconds, then the running number within one.
_ID = """
local function parts(id) local ms, n = string.match(id, '^(%d+)-(%d+)$'); return tonumber(ms), tonumber(n) end
local function after(a, b) local am, an = parts(a); local bm, bn = parts(b); return am > bm or (am == bm and an > bn) end
"""

# KEYS stream, counts, sender · ARGV number, room (items), policy (hold | drop), origin offered, seconds to remember, bodies …
# The same number again: the same answer, and nothing is added. Of items that had to go, those are counted as dropped that no
# reader of the group has taken; the others are in hand, and what becomes of them is counted when it does.
APPEND = Script(
    _ID
    + """
if redis.call('HSETNX', KEYS[2], 'origin', ARGV[4]) == 1 then redis.call('DEL', KEYS[3]) end
local origin = redis.call('HGET', KEYS[2], 'origin')
local length = redis.call('XLEN', KEYS[1])
local last = redis.call('GET', KEYS[3])
if last then
  local number, kept, dropped = string.match(last, '^(%d+) (%d+) (%d+)$')
  if number == ARGV[1] then return {tonumber(kept), tonumber(dropped), origin, length} end
end
local room, offered = tonumber(ARGV[2]), #ARGV - 5
local kept, dropped = offered, 0
if ARGV[3] == 'hold' then kept = math.max(0, math.min(offered, room - length)) end
local sent = redis.call('HINCRBY', KEYS[2], 'sent', kept) - kept
for i = 1, kept do
  redis.call('XADD', KEYS[1], '*', 'n', string.format('%.0f', sent + i), 'b', ARGV[5 + i])
end
local over = length + kept - room
if over > 0 and ARGV[3] == 'drop' then
  local read = '0-0'
  for _, group in ipairs(redis.call('XINFO', 'GROUPS', KEYS[1])) do
    for i = 1, #group, 2 do
      if group[i] == 'last-delivered-id' and after(group[i + 1], read) then read = group[i + 1] end
    end
  end
  for _, entry in ipairs(redis.call('XRANGE', KEYS[1], '-', '+', 'COUNT', over)) do
    if after(entry[1], read) then dropped = dropped + 1 end
  end
  redis.call('XTRIM', KEYS[1], 'MAXLEN', room)
  redis.call('HINCRBY', KEYS[2], 'dropped', dropped)
end
redis.call('SET', KEYS[3], ARGV[1] .. ' ' .. kept .. ' ' .. dropped, 'EX', ARGV[5])
return {kept, dropped, origin, redis.call('XLEN', KEYS[1])}
"""
)

# KEYS stream, counts · ARGV group, delete (1 | 0), ids …  Running it again ends nothing more.
ACKNOWLEDGE = Script(
    """
local ids = {}
for i = 3, #ARGV do ids[#ids + 1] = ARGV[i] end
local ended = redis.call('XACK', KEYS[1], ARGV[1], unpack(ids))
if ARGV[2] == '1' then redis.call('XDEL', KEYS[1], unpack(ids)) end
redis.call('HINCRBY', KEYS[2], 'acknowledged', ended)
return ended
"""
)

# Whatever an entry says of itself: its text, its running number and how often it was handed out. One that was trimmed while it
# was in hand has no text any more: it is taken out and counted.
_ENTRY = """
local function entry(id, times)
  local found = redis.call('XRANGE', KEYS[1], id, id)[1]
  if found then return {id, found[2][4], times, found[2][2]} end
  redis.call('HINCRBY', KEYS[2], 'dropped', redis.call('XACK', KEYS[1], ARGV[1], id))
end
"""

# KEYS stream, counts · ARGV group, consumer, after this id, how many. Returns {last id seen, entries}.
MINE = Script(
    _ENTRY
    + """
local found, last = {}, ''
for _, one in ipairs(redis.call('XPENDING', KEYS[1], ARGV[1], ARGV[3], '+', ARGV[4], ARGV[2])) do
  found[#found + 1] = entry(one[1], one[4])
  last = one[1]
end
return {last, found}
"""
)

# KEYS stream, counts · ARGV group, consumer, idle (ms), how many. Whose deliveries are counted is not changed by taking over.
TAKE_OVER = Script(
    _ENTRY
    + """
local reply = redis.call('XAUTOCLAIM', KEYS[1], ARGV[1], ARGV[2], ARGV[3], '0', 'COUNT', ARGV[4], 'JUSTID')
redis.call('HINCRBY', KEYS[2], 'dropped', #reply[3])
local found = {}
for _, id in ipairs(reply[2]) do
  local pending = redis.call('XPENDING', KEYS[1], ARGV[1], id, id, 1)[1]
  found[#found + 1] = entry(id, pending[4])
end
return found
"""
)

# KEYS stream · ARGV group, consumer, idle (ms) to set, pairs of id and deliveries (-1: as they are). Returns how many are ours.
# Only its owner may: a claim without this look would take an item away from whoever works on it.
CLAIM_OWN = Script(
    """
local ours = 0
for i = 4, #ARGV, 2 do
  local pending = redis.call('XPENDING', KEYS[1], ARGV[1], ARGV[i], ARGV[i], 1)[1]
  if pending and pending[2] == ARGV[2] then
    local times = ARGV[i + 1] == '-1' and pending[4] or ARGV[i + 1]
    local kept = redis.call('XCLAIM', KEYS[1], ARGV[1], ARGV[2], 0, ARGV[i], 'IDLE', ARGV[3], 'RETRYCOUNT', times, 'JUSTID')
    ours = ours + #kept
  end
end
return ours
"""
)

# KEYS stream, counts, dead · ARGV group, consumer, id, deliveries, reason, dead letters kept, delete (1 | 0), body
BURY = Script(
    """
local pending = redis.call('XPENDING', KEYS[1], ARGV[1], ARGV[3], ARGV[3], 1)[1]
if not pending or pending[2] ~= ARGV[2] then return 0 end
redis.call('XACK', KEYS[1], ARGV[1], ARGV[3])
if ARGV[7] == '1' then redis.call('XDEL', KEYS[1], ARGV[3]) end
redis.call('XADD', KEYS[3], 'MAXLEN', ARGV[6], '*', 'id', ARGV[3], 'deliveries', ARGV[4], 'reason', ARGV[5], 'b', ARGV[8])
redis.call('HINCRBY', KEYS[2], 'dead', 1)
return 1
"""
)

# KEYS stream, counts · ARGV group. Returns sent, acknowledged, dead, dropped, in hand.
FIGURES = Script(
    """
local function count(name) return tonumber(redis.call('HGET', KEYS[2], name) or 0) end
local in_hand = 0
if redis.call('EXISTS', KEYS[1]) == 1 then
  for _, group in ipairs(redis.call('XINFO', 'GROUPS', KEYS[1])) do
    if group[2] == ARGV[1] then in_hand = redis.call('XPENDING', KEYS[1], ARGV[1])[1] end
  end
end
return {count('sent'), count('acknowledged'), count('dead'), count('dropped'), in_hand}
"""
)

# KEYS stream · ARGV idle (ms). Takes away groups of a fan-out edge whose process is gone without having said so. One without
# any consumer was made a moment ago.
PRUNE = Script(
    """
local gone = 0
for _, group in ipairs(redis.call('XINFO', 'GROUPS', KEYS[1])) do
  local consumers = redis.call('XINFO', 'CONSUMERS', KEYS[1], group[2])
  local alive = #consumers == 0
  for _, consumer in ipairs(consumers) do
    for i = 1, #consumer, 2 do
      if consumer[i] == 'idle' and consumer[i + 1] < tonumber(ARGV[1]) then alive = true end
    end
  end
  if not alive then gone = gone + redis.call('XGROUP', 'DESTROY', KEYS[1], group[2]) end
end
return gone
"""
)
