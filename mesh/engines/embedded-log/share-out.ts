/**
 * Shares the partitions 0 .. `partitions` - 1 among members so that their counts differ by at most one and as few as
 * possible move. `held` is what each member has now; the answer is what each should have, sorted.
 */
export function shareOut(partitions: number, held: readonly (readonly number[])[]): number[][] {
  const members = held.length;
  if (members === 0) return [];
  const least = Math.floor(partitions / members);
  // Members that hold most keep the larger shares.
  const order = held.map((_, i) => i).sort((a, b) => held[b]!.length - held[a]!.length || a - b);
  const quota = new Map(order.map((member, rank) => [member, least + (rank < partitions % members ? 1 : 0)]));
  const shares = held.map((own, member) => own.slice(0, quota.get(member)!));
  const taken = new Set(shares.flat());
  const free = Array.from({ length: partitions }, (_, i) => i).filter((partition) => !taken.has(partition));
  shares.forEach((share, member) => {
    share.push(...free.splice(0, quota.get(member)! - share.length));
    share.sort((a, b) => a - b);
  });
  return shares;
}
