/**
 * What Redis does in one step. A conversation's window is one sorted set: its blocks by their first seq, and at rank 0,
 * with score 0, what is known of all of them. A block is firstSeq (8 bytes), count (4), time (8), then tagged messages.
 */
export const hotWindowScripts = {
  /**
   * Appends the blocks of one run.
   * ARGV: now, oldest time kept, age, messages, bytes, messages and bytes of a block that is added to; then for each block
   * its firstSeq, count and messages.
   */
  windowAppend: {
    numberOfKeys: 1,
    lua: `
local key = KEYS[1]
local now, oldest, age = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local maxMessages, maxBytes = tonumber(ARGV[4]), tonumber(ARGV[5])
local mergeMessages, mergeBytes = tonumber(ARGV[6]), tonumber(ARGV[7])
local hi, messages, bytes, blocks, loTime, tailCount, tailBytes = 0, 0, 0, 0, now, 0, 0
local facts = redis.call('ZRANGE', key, 0, 0)[1]
if facts then
  hi, messages, bytes, blocks, loTime, tailCount, tailBytes = struct.unpack('>xI8I4I8I4I8I4I8', facts)
end

-- What is left of tagged messages after the first n of them: a tag byte, the length as a varint, the message.
local function after(body, n)
  local at = 1
  for i = 1, n do
    local length, scale = 0, 1
    at = at + 1
    local byte = string.byte(body, at)
    while byte >= 128 do
      length = length + (byte - 128) * scale
      scale = scale * 128
      at = at + 1
      byte = string.byte(body, at)
    end
    at = at + 1 + length + byte * scale
  end
  return string.sub(body, at)
end

local changed = false
for i = 8, #ARGV, 3 do
  local first, count, body = tonumber(ARGV[i]), tonumber(ARGV[i + 1]), ARGV[i + 2]
  if blocks == 0 or first > hi + 1 then
    redis.call('DEL', key)
    facts = false
    hi, messages, bytes, blocks, loTime, tailCount, tailBytes = first - 1, 0, 0, 0, now, 0, 0
  end
  local held = hi - first + 1
  if held < count then
    if held > 0 then
      body = after(body, held)
      first, count = first + held, count - held
    end
    if blocks > 0 and tailCount + count <= mergeMessages and tailBytes + #body <= mergeBytes then
      local tail = redis.call('ZRANGE', key, -1, -1)[1]
      redis.call('ZREMRANGEBYRANK', key, -1, -1)
      local start = hi - tailCount + 1
      tailCount, tailBytes = tailCount + count, tailBytes + #body
      redis.call('ZADD', key, start, struct.pack('>I8I4I8', start, tailCount, now) .. string.sub(tail, 21) .. body)
      if blocks == 1 then loTime = now end
    else
      tailCount, tailBytes, blocks = count, #body, blocks + 1
      redis.call('ZADD', key, first, struct.pack('>I8I4I8', first, count, now) .. body)
    end
    hi, messages, bytes, changed = first + count - 1, messages + count, bytes + #body, true
  end
end
if not changed then return 0 end

-- The facts are out of the way now, so that ranks begin with the oldest block.
if facts then redis.call('ZREMRANGEBYRANK', key, 0, 0) end
while blocks > 1 and (messages > maxMessages or bytes > maxBytes or loTime <= oldest) do
  local block = redis.call('ZRANGE', key, 0, 1)
  local _, count = struct.unpack('>I8I4', block[1])
  local _, _, time = struct.unpack('>I8I4I8', block[2])
  redis.call('ZREMRANGEBYRANK', key, 0, 0)
  messages, bytes, blocks, loTime = messages - count, bytes - (#block[1] - 20), blocks - 1, time
end
redis.call('ZADD', key, 0, struct.pack('>BI8I4I8I4I8I4I8', 255, hi, messages, bytes, blocks, loTime, tailCount, tailBytes))
redis.call('PEXPIRE', key, age)
return 1`,
  },
  /**
   * The blocks that hold a range, in order of seq, until the bounds are met.
   * ARGV: first seq, last seq, messages, bytes, 1 = from the end.
   */
  windowRead: {
    numberOfKeys: 1,
    lua: `
local key = KEYS[1]
local from, to = tonumber(ARGV[1]), tonumber(ARGV[2])
local maxMessages, maxBytes, fromEnd = tonumber(ARGV[3]), tonumber(ARGV[4]), ARGV[5] == '1'
local start = from
if not fromEnd then
  local at = redis.call('ZREVRANGEBYSCORE', key, from, 1, 'WITHSCORES', 'LIMIT', 0, 1)
  if at[2] then start = tonumber(at[2]) end
end
local found, messages, bytes, offset, step = {}, 0, 0, 0, 4
repeat
  local page
  if fromEnd then page = redis.call('ZREVRANGEBYSCORE', key, to, 1, 'LIMIT', offset, step)
  else page = redis.call('ZRANGEBYSCORE', key, start, to, 'LIMIT', offset, step) end
  for _, block in ipairs(page) do
    local first, count = struct.unpack('>I8I4', block)
    local inside = math.min(to, first + count - 1) - math.max(from, first) + 1
    if inside > 0 then
      found[#found + 1] = block
      messages, bytes = messages + inside, bytes + (#block - 20) * inside / count
    end
    if inside <= 0 and fromEnd or messages >= maxMessages or bytes >= maxBytes then
      return found
    end
  end
  offset = offset + #page
until #page < step
return found`,
  },
} as const;
