// Globs over whole names, in which dots and slashes mean nothing: `*` any text, `?` any character, `[a-c]` one of these,
// `[!a-c]` none of these.

type Token =
  | { readonly type: "any-text" }
  | { readonly type: "character"; readonly matches: (character: string) => boolean };

export type Glob = readonly Token[];

/** @throws SyntaxError when a bracket is not closed, is empty, or its range is the wrong way round. */
export function parseGlob(pattern: string): Glob {
  const tokens: Token[] = [];
  for (let i = 0; i < pattern.length; i++) {
    const character = pattern.charAt(i);
    if (character === "*") {
      if (tokens.at(-1)?.type !== "any-text") tokens.push({ type: "any-text" });
    } else if (character === "?") {
      tokens.push({ type: "character", matches: () => true });
    } else if (character === "[") {
      const end = pattern.indexOf("]", i);
      if (end < 0) throw new SyntaxError("has a [ without its ]");
      tokens.push({ type: "character", matches: parseSet(pattern.slice(i + 1, end)) });
      i = end;
    } else {
      tokens.push({ type: "character", matches: (other) => other === character });
    }
  }
  return tokens;
}

function parseSet(text: string): (character: string) => boolean {
  const negated = text.startsWith("!");
  const members = negated ? text.slice(1) : text;
  if (members === "") throw new SyntaxError("has brackets with nothing in them");
  const ranges: { readonly from: string; readonly to: string }[] = [];
  for (let i = 0; i < members.length; i++) {
    const from = members.charAt(i);
    const isRange = members[i + 1] === "-" && i + 2 < members.length;
    const to = isRange ? members.charAt(i + 2) : from;
    if (to < from) throw new SyntaxError(`has the range ${from}-${to}, which is empty`);
    ranges.push({ from, to });
    if (isRange) i += 2;
  }
  return (character) => negated !== ranges.some(({ from, to }) => from <= character && character <= to);
}

/**
 * Whether the glob matches the whole name. Takes at most the product of both lengths: after a `*` only the last
 * one is ever retried.
 */
export function matchesGlob(glob: Glob, name: string): boolean {
  let token = 0;
  let at = 0;
  let afterStar = -1;
  let retryAt = 0;
  while (at < name.length) {
    const current = glob[token];
    if (current?.type === "any-text") {
      afterStar = ++token;
      retryAt = at;
    } else if (current?.matches(name.charAt(at)) === true) {
      token++;
      at++;
    } else if (afterStar >= 0) {
      token = afterStar;
      at = ++retryAt;
    } else return false;
  }
  while (glob[token]?.type === "any-text") token++;
  return token === glob.length;
}
