// Which scopes a token of Gitea needs for a path.

/** One of these is enough; undefined where none is needed. */
export function requiredScopes(method: string, path: string): readonly string[] | undefined {
  const area = areaOf(path);
  if (area === undefined) return undefined;
  const reads = method === "GET" || method === "HEAD";
  return reads ? [`read:${area}`, `write:${area}`] : [`write:${area}`];
}

function areaOf(path: string): string | undefined {
  if (path === "/version" || path.startsWith("/settings/")) return undefined;
  if (path.startsWith("/user")) return "user";
  if (path.startsWith("/orgs/")) return "organization";
  return /^\/repos\/[^/]+\/[^/]+\/(?:issues|labels|milestones)(?:\/|$)/.test(path) ? "issue" : "repository";
}

/** In Gitea's words; undefined when the token may. */
export function missingScope(method: string, path: string, scopes: readonly string[]): string | undefined {
  const required = requiredScopes(method, path);
  if (required === undefined || required.some((scope) => scopes.includes(scope))) return undefined;
  const words = `required=[${required[0] ?? ""}], token scope=${scopes.join(",")}`;
  return `token does not have at least one of required scope(s), ${words}`;
}
