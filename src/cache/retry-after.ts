/**
 * Milliseconds to wait by a `Retry-After` header: seconds, or a date (RFC 9110, section 10.2.3). 0 without one, or for
 * one that cannot be read.
 */
export function retryAfterMs(header: string | undefined, now: Date): number {
  if (header === undefined) return 0;
  if (/^\d{1,9}$/.test(header.trim())) return Number(header) * 1000;
  const date = Date.parse(header);
  return Number.isNaN(date) ? 0 : Math.max(0, date - now.getTime());
}
