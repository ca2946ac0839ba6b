const dayMs = 86_400_000;

const startOfDay = (timeMs: number): number => new Date(timeMs).setHours(0, 0, 0, 0);

/** "14:05". */
export function clockTime(timeMs: number, locale?: string): string {
  return new Intl.DateTimeFormat(locale, { hour: "2-digit", minute: "2-digit" }).format(timeMs);
}

/** "Today", "Yesterday", or the date. */
export function dayName(timeMs: number, nowMs: number, locale?: string): string {
  const days = Math.round((startOfDay(nowMs) - startOfDay(timeMs)) / dayMs);
  if (days === 0) return "Today";
  if (days === 1) return "Yesterday";
  return new Intl.DateTimeFormat(locale, { day: "numeric", month: "long", year: "numeric" }).format(timeMs);
}

/** For a list: the time of today's, the date of older ones. */
export function listTime(timeMs: number, nowMs: number, locale?: string): string {
  if (timeMs === 0) return "";
  if (startOfDay(timeMs) === startOfDay(nowMs)) return clockTime(timeMs, locale);
  return new Intl.DateTimeFormat(locale, { day: "numeric", month: "short" }).format(timeMs);
}

/** Whether two times are on one day of this machine's calendar. */
export function sameDay(aMs: number, bMs: number): boolean {
  return startOfDay(aMs) === startOfDay(bMs);
}

/** One or two letters for an avatar. */
export function initials(name: string): string {
  const words = name.trim().split(/\s+/).slice(0, 2);
  return words.map((word) => [...word][0]?.toUpperCase() ?? "").join("") || "?";
}
