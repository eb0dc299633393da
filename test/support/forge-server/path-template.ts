// Paths of an OpenAPI document: `/repos/{owner}/{repo}/branches/{branch}`.

export type PathValues = Readonly<Record<string, string>>;

export interface PathTemplate {
  readonly template: string;
  /** How exactly it says what it matches: of two that match, the higher one is meant. */
  readonly weight: number;
  /** The decoded values; undefined when the path does not match. */
  match(path: string): PathValues | undefined;
}

/** Routes that Gitea registers with `*`: these values may contain slashes. */
const manySegments = new Set(["branch", "head", "basehead", "ref"]);

export function pathTemplate(template: string): PathTemplate {
  const segments = template.split("/").map((segment) => {
    const name = /^\{(?<name>\w+)\}$/.exec(segment)?.groups?.["name"];
    if (name === undefined) return segment.replaceAll(/[.*+?^${}()|[\]\\]/g, "\\$&");
    return manySegments.has(name) ? `(?<${name}>.+)` : `(?<${name}>[^/]+)`;
  });
  const pattern = new RegExp(`^${segments.join("/")}$`);
  return {
    template,
    weight:
      template.split("/").filter((segment) => !segment.startsWith("{")).length * 10 -
      (template.includes("{head}") ? 5 : 0),
    match(path) {
      const groups = pattern.exec(path)?.groups;
      if (groups === undefined) return pattern.test(path) ? {} : undefined;
      return Object.fromEntries(
        Object.entries(groups).map(([name, text]) => [name, decodeURIComponent(text)]),
      );
    },
  };
}

/** The most exact one that matches. */
export function bestMatch<Item extends { readonly path: PathTemplate }>(
  items: readonly Item[],
  path: string,
): { readonly item: Item; readonly values: PathValues } | undefined {
  const matches = items.flatMap((item) => {
    const values = item.path.match(path);
    return values === undefined ? [] : [{ item, values }];
  });
  return matches.toSorted((a, b) => b.item.path.weight - a.item.path.weight)[0];
}
