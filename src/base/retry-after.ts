/** The `Retry-After` header in milliseconds, which is a number of seconds or a date (RFC 9110, 10.2.3). */
export function retryAfterMs(header: string | null | undefined, now: Date): number | undefined {
  const value = header?.trim() ?? "";
  if (value === "") return undefined;
  if (/^\d{1,9}$/.test(value)) return Number(value) * 1000;
  const at = Date.parse(value);
  return Number.isNaN(at) ? undefined : Math.max(0, at - now.getTime());
}
