/**
 * Whether two URLs are of one git repository: by host and path, however it is reached, with or without `.git`. Two
 * updates of one would use the same branch, and close each other's pull requests.
 */
export const isSameRepository = (one: string, other: string): boolean => placeOf(one) === placeOf(other);

function placeOf(url: string): string {
  const parsed = URL.parse(url);
  if (parsed === null) return url;
  return `${parsed.hostname}${parsed.pathname.replace(/\/+$/, "").replace(/\.git$/, "")}`;
}
