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
  /** Adds one session to its user: 1 = it is the first. */
  presenceAdd: {
    numberOfKeys: 1,
    lua: `
local added = redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
redis.call('PEXPIRE', KEYS[1], ARGV[3])
if added == 0 then return 0 end
return redis.call('HLEN', KEYS[1]) == 1 and 1 or 0`,
  },
  /** Removes one session when it is equal in every field: 1 = it was the last, 0 = others are left, -1 = it was not there. */
  presenceRemove: {
    numberOfKeys: 1,
    lua: `
if redis.call('HGET', KEYS[1], ARGV[1]) ~= ARGV[2] then return -1 end
redis.call('HDEL', KEYS[1], ARGV[1])
return redis.call('EXISTS', KEYS[1]) == 0 and 1 or 0`,
  },
} as const;
