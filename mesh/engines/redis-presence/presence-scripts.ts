/** How the value of a session ends that others do not see. */
export const unseenMark = "/unseen";

const isSeen = `
local function isSeen(value) return value and string.sub(value, -${unseenMark.length}) ~= '${unseenMark}' end
local function seenBeside(key, field)
  if redis.call('HLEN', key) <= redis.call('HEXISTS', key, field) then return false end
  local all = redis.call('HGETALL', key)
  for i = 1, #all, 2 do
    if all[i] ~= field and isSeen(all[i + 1]) then return true end
  end
  return false
end`;

/** What Redis does in one step. Each touches keys of one slot. */
export const presenceScripts = {
  /** Lease of a Login process: -1 = there is a newer epoch, else the epoch it had (0 = none). */
  presenceRenew: {
    numberOfKeys: 1,
    lua: `
local had = tonumber(redis.call('GET', KEYS[1]) or '0')
local epoch = tonumber(ARGV[1])
if had > epoch then return -1 end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return had`,
  },
  /** Adds one session to its user, or replaces it: 1 = the user is online now, -1 = no more, 0 = as before. */
  presenceAdd: {
    numberOfKeys: 1,
    lua: `${isSeen}
local before = redis.call('HGET', KEYS[1], ARGV[1])
if before ~= ARGV[2] then redis.call('HSET', KEYS[1], ARGV[1], ARGV[2]) end
redis.call('PEXPIRE', KEYS[1], ARGV[3])
local was, is = isSeen(before), isSeen(ARGV[2])
if was == is or seenBeside(KEYS[1], ARGV[1]) then return 0 end
return is and 1 or -1`,
  },
  /** Removes one session when it is equal in every field, seen or not: -1 = the user is online no more, 0 = as before. */
  presenceRemove: {
    numberOfKeys: 1,
    lua: `${isSeen}
local had = redis.call('HGET', KEYS[1], ARGV[1])
if had ~= ARGV[2] and had ~= ARGV[2] .. '${unseenMark}' then return 0 end
redis.call('HDEL', KEYS[1], ARGV[1])
return isSeen(had) and not seenBeside(KEYS[1], ARGV[1]) and -1 or 0`,
  },
} as const;
