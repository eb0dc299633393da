// Names and passwords of servers, in the file that curl, and so Nix (`netrc-file`), reads.

export interface NetrcEntry {
  /** Undefined for `default`, which is for every server that no other entry is for. */
  readonly machine: string | undefined;
  readonly login: string;
  readonly password: string;
}

/** Reads what is understood of it: anything else in it is for other programs. */
export function parseNetrc(text: string): readonly NetrcEntry[] {
  const tokens = text
    .split("\n")
    .filter((line) => !/^\s*#/.test(line))
    .flatMap((line) => [...line.matchAll(/"((?:[^"\\]|\\.)*)"|(\S+)/g)])
    .map(([, quoted, plain]) => quoted?.replaceAll(/\\(.)/g, "$1") ?? plain ?? "");
  const entries: { machine: string | undefined; login: string; password: string }[] = [];
  for (let at = 0; at < tokens.length; at++) {
    const entry = entries.at(-1);
    switch (tokens[at]) {
      case "machine":
        entries.push({ machine: tokens[++at]?.toLowerCase() ?? "", login: "", password: "" });
        break;
      case "default":
        entries.push({ machine: undefined, login: "", password: "" });
        break;
      case "login":
        if (entry !== undefined) entry.login = tokens[++at] ?? "";
        break;
      case "password":
        if (entry !== undefined) entry.password = tokens[++at] ?? "";
        break;
      case undefined:
      default:
        break;
    }
  }
  return entries;
}

/** The `authorization` header for a server; undefined where the file has nothing for it. */
export function authorizationFor(
  entries: readonly NetrcEntry[],
  hostname: string,
  { allowsDefault }: { readonly allowsDefault: boolean },
): string | undefined {
  const entry = entries.find(
    ({ machine }) => machine === hostname.toLowerCase() || (machine === undefined && allowsDefault),
  );
  if (entry === undefined) return undefined;
  return `Basic ${Buffer.from(`${entry.login}:${entry.password}`).toString("base64")}`;
}
